"""Every RPC's comment names the statuses it returns, and they are those of the table of errors."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
import pytest

from lrkeeper.errors import REASONS

SERVICES = sorted((Path(__file__).parents[2] / "proto").rglob("*_service.proto"))
STATUSES = {code.name for code in grpc.StatusCode}
RPC = re.compile(r"(?P<comment>(?:^ *//.*\n)*)^ *rpc (?P<name>\w+)\(", re.MULTILINE)
SERVICE = re.compile(r"(?P<comment>(?:^//.*\n)+)^service (?P<name>\w+) {", re.MULTILINE)
IN_CAPITALS = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b|\b(?:ABORTED|CANCELLED|INTERNAL|UNAVAILABLE|UNKNOWN)\b")


def comments(pattern: re.Pattern[str]) -> dict[str, str]:
    return {
        match["name"]: match["comment"] for path in SERVICES for match in pattern.finditer(path.read_text())
    }


RPCS = comments(RPC)


def test_every_rpc_is_found() -> None:
    declared = sum(len(re.findall(r"^ *rpc ", path.read_text(), re.MULTILINE)) for path in SERVICES)
    assert len(RPCS) == declared > 0


@pytest.mark.parametrize("name", RPCS)
def test_the_comment_of_an_rpc_names_its_statuses(name: str) -> None:
    assert set(IN_CAPITALS.findall(RPCS[name])) & STATUSES, f"{name}: {RPCS[name]}"


def test_the_statuses_named_are_those_of_the_table_of_errors() -> None:
    texts = [*RPCS.values(), *comments(SERVICE).values()]
    named = {word for text in texts for word in IN_CAPITALS.findall(text)} & STATUSES
    assert named == {reason.status for reason in REASONS.values()}


def test_every_word_in_capitals_is_a_status() -> None:
    words = {word for text in RPCS.values() for word in IN_CAPITALS.findall(text)}
    assert words <= STATUSES
