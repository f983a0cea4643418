"""What a run's values must be, by another way than production's: from the log and each definition's meaning."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from typing import Any

Rows = list[dict[str, Any]]

_FORMULA = re.compile(r"base \* \((\d+) \+ (step|tokens) / (\d+)\)")


class Timeline:
    """A branch as the stored log says it is: what rules each step, and its values."""

    def __init__(self, tables: Mapping[str, Rows], run_uid: str, branch: int) -> None:
        def of(table: str) -> Rows:
            return [row for row in tables[table] if (row["run_uid"], row["branch"]) == (run_uid, branch)]

        (self.branch,) = of("branches")
        self.edits = sorted(of("edits"), key=lambda edit: edit["revision"])
        self.blocks = sorted(of("blocks"), key=lambda block: block["first_step"])
        groups = sorted(of("param_groups"), key=lambda group: group["place"])
        self.bases = [group["initial"] for group in groups]
        self.currents = [group["current"] for group in groups]
        self.origin = self.branch["origin_step"]
        self.parent: Timeline | None = None
        if self.branch["fork_step"] is not None:
            self.parent = Timeline(tables, run_uid, self.branch["parent"])
        self.stored: dict[int, str] = {}
        self.block_of: dict[int, dict[str, Any]] = {}
        for block in self.blocks:
            columns, count = _doubles(block["data"]), block["count"]
            for i in range(count):
                step = block["first_step"] + i
                self.stored[step] = hexed(columns[i::count])
                self.block_of[step] = block

    def row(self, step: int) -> str | None:
        """Return what is stored of a step, on the branch or in its past; None if nothing is."""
        if step > self.origin:
            return self.stored.get(step)
        if step == self.origin:
            return str(self.branch["origin_values"])
        return None if self.parent is None else self.parent.row(step)

    def ruling(self, step: int) -> dict[str, Any] | None:
        """Return the edit that rules a step: of those at or below it the one made last. None: the origin's rules."""
        found = [edit for edit in self.edits if edit["effective_step"] <= step]
        return found[-1] if found else None

    def in_force(self, step: int) -> Rows:
        """Return the edits that rule the step or one before it."""
        starts = {edit["effective_step"] for edit in self.edits if edit["effective_step"] <= step}
        found = {edit["revision"]: edit for start in starts if (edit := self.ruling(start)) is not None}
        return [found[revision] for revision in sorted(found)]

    def values(self, end: int) -> dict[int, str]:
        """Return the bits at the steps from the origin on and below `end`."""
        now = self._first()
        found = {self.origin: hexed(now)}
        for step in range(self.origin + 1, end):
            edit = self.ruling(step)
            kind, number = meaning((edit or self.branch)["definition"])
            if edit is not None and edit["effective_step"] == step and kind == "exponential":
                now = [_powered(base, number, step - 1) for base in self.bases]
            given = json.loads(self.block_of[step]["given"] or "{}") if step in self.block_of else {}
            if kind == "exponential":
                now = [value * number for value in given.get("seen", {}).get("lr", now)]
            else:
                now = [_formula(kind, number, base, step, given) for base in self.bases]
            found[step] = hexed(now)
        return found

    def _first(self) -> list[float]:
        if self.parent is not None:
            before = list(struct.unpack(f"<{len(self.parent.bases)}d", bytes.fromhex(self._parents())))
            return before + self.currents[len(before) :]
        kind, number = meaning((self.ruling(self.origin) or self.branch)["definition"])
        if self.origin > 0:  # it began where a job stood
            return list(_doubles(self.branch["origin_values"]))
        if kind == "exponential":
            return list(self.currents)
        return [_formula(kind, number, base, self.origin, {}) for base in self.bases]

    def _parents(self) -> str:
        assert self.parent is not None
        return self.parent.values(self.origin + 1)[self.origin]


def meaning(definition: str) -> tuple[str, float]:
    """Return a definition's kind and number."""
    found = json.loads(definition)
    if "exponential_lr" in found:
        return "exponential", found["exponential_lr"]["gamma"]
    formula = _FORMULA.fullmatch(found["expression"]["text"])
    assert formula is not None
    return formula[2], float(formula[1])


def _formula(kind: str, number: float, base: float, step: int, given: Mapping[str, Any]) -> float:
    if kind == "step":
        return base * (number + step / 1048576)
    tokens = given.get("progress", {}).get("tokens", 0.0)
    return float(base * (number + tokens / 1073741824))


def _powered(base: float, gamma: float, times: int) -> float:
    for _ in range(times):
        base *= gamma
    return base


def _doubles(data: str) -> tuple[float, ...]:
    raw = bytes.fromhex(data)
    return struct.unpack(f"<{len(raw) // 8}d", raw)


def hexed(values: Any) -> str:
    """Return values' bits in hexadecimal."""
    return struct.pack(f"<{len(values)}d", *values).hex()
