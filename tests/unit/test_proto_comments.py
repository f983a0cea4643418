"""Every RPC's comment names the statuses it returns and why; they are those of the table of errors."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module
from pathlib import Path
from types import FunctionType

import grpc
import pytest

from lrkeeper.errors import REASONS, Internal, ServerStopping
from lrkeeper.server import runs, usecases
from lrkeeper.server.servicers.run_service import RunServicer
from lrkeeper.server.servicers.schedule_service import ScheduleServicer
from lrkeeper.server.servicers.server_service import ServerServicer

PROTOS = sorted((Path(__file__).parents[2] / "proto").rglob("*_service.proto"))
STATUSES = {code.name for code in grpc.StatusCode}
RPC = re.compile(r"(?P<comment>(?:^ *//.*\n)*)^ *rpc (?P<name>\w+)\(", re.MULTILINE)
SERVICE = re.compile(r"(?P<comment>(?:^//.*\n)+)^service (?P<name>\w+) {", re.MULTILINE)
IN_CAPITALS = re.compile(r"\b[A-Z]+(?:_[A-Z]+)+\b|\b(?:ABORTED|CANCELLED|INTERNAL|UNAVAILABLE|UNKNOWN)\b")
SERVICERS = {"RunService": RunServicer, "ScheduleService": ScheduleServicer, "ServerService": ServerServicer}


def comments(pattern: re.Pattern[str], text: str) -> dict[str, str]:
    return {
        match["name"]: " ".join(re.sub(r"^ *// ?", "", match["comment"], flags=re.MULTILINE).split())
        for match in pattern.finditer(text)
    }


SERVICES = {name: text for path in PROTOS for name, text in comments(SERVICE, path.read_text()).items()}
RPCS = {name: text for path in PROTOS for name, text in comments(RPC, path.read_text()).items()}
SERVICE_OF = {
    name: service
    for path in PROTOS
    for service in comments(SERVICE, path.read_text())
    for name in comments(RPC, path.read_text())
}


def rules() -> dict[str, str]:
    """Return what the server's public functions say that they raise, by their names."""
    found: dict[str, str] = {}
    for package in (usecases, runs):
        for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for name, value in vars(import_module(info.name)).items():
                if isinstance(value, FunctionType) and value.__module__ == info.name and name[0] != "_":
                    _, raises, text = (value.__doc__ or "").partition("Raises")
                    if raises:
                        assert name not in found, f"{name} is the name of two functions that raise"
                        found[name] = text
    return found


RULES = rules()


def raised(function: str) -> set[str]:
    """Return the reasons that a function's docstring names as raised, with those of the functions it points to."""
    text = RULES[function]
    pointed_to = [name for name in re.findall(r"`(\w+)`", text) if name in RULES]
    return (set(re.findall(r"\w+", text)) & set(REASONS)).union(*map(raised, pointed_to))


def reasons(rpc: str) -> set[str]:
    """Return the reasons that what a servicer's method calls may raise."""
    method = getattr(SERVICERS[SERVICE_OF[rpc]], re.sub(r"(?<!^)(?=[A-Z])", "_", rpc).lower())
    called = [name for name in method.__code__.co_names if name in RULES]
    return set[str]().union(*map(raised, called))


def clauses(rpc: str) -> dict[str, str]:
    """Return what an RPC's comment says of each status, as in "NOT_FOUND: no such run."."""
    parts = re.split(rf"({IN_CAPITALS.pattern}): ", RPCS[rpc])
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_rpc_is_found() -> None:
    declared = sum(len(re.findall(r"^ *rpc ", path.read_text(), re.MULTILINE)) for path in PROTOS)
    assert len(RPCS) == declared > 0
    assert set(SERVICES) == set(SERVICERS)


@pytest.mark.parametrize("rpc", RPCS)
def test_the_comment_of_an_rpc_names_a_status(rpc: str) -> None:
    assert set(clauses(rpc)) & STATUSES, f"{rpc}: {RPCS[rpc]}"


@pytest.mark.parametrize("rpc", RPCS)
def test_the_comment_of_an_rpc_names_every_status_that_its_use_cases_raise(rpc: str) -> None:
    of_all = {*IN_CAPITALS.findall(SERVICES[SERVICE_OF[rpc]]), ServerStopping.status, Internal.status}
    returned = {REASONS[reason].status for reason in reasons(rpc)}
    assert returned - of_all == set(clauses(rpc)) - of_all


@pytest.mark.parametrize("rpc", RPCS)
def test_beside_a_status_stands_what_it_is_about(rpc: str) -> None:
    said = clauses(rpc)
    for reason in reasons(rpc):
        about = re.match(r"Run|Branch|Schedule", reason)
        clause = said.get(REASONS[reason].status, "")
        if about and clause:
            assert re.search(rf"\b{about[0].lower()}", clause), f"{rpc}: {reason} is not in {clause!r}"


def test_the_use_cases_of_all_but_the_simplest_rpcs_say_what_they_raise() -> None:
    assert {rpc for rpc in RPCS if not reasons(rpc)} == {"ListRuns", "ListSchedules", "GetServer"}


def test_the_statuses_named_are_those_of_the_table_of_errors() -> None:
    texts = [*RPCS.values(), *SERVICES.values()]
    named = {word for text in texts for word in IN_CAPITALS.findall(text)} & STATUSES
    assert named == {reason.status for reason in REASONS.values()}


def test_every_word_in_capitals_is_a_status() -> None:
    words = {word for text in RPCS.values() for word in IN_CAPITALS.findall(text)}
    assert words <= STATUSES
