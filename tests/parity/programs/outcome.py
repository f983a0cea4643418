"""Runs programs with one of the two imports, and prints what each one shows.

Run as `python -m tests.parity.programs.outcome torch|lrkeeper`: a JSON object of sources on stdin, one of
outcomes on stdout. The lines of a program stay where they are: only the names of modules are replaced.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import re
import sys
import traceback
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch

from tests.parity.programs.examples import STAND_INS, stand_ins

_IMPORTS = (
    (r"^(\s*)from torch\.optim import lr_scheduler\b", r"\1from lrkeeper import lr_scheduler"),
    (r"^(\s*)from torch\.optim\.lr_scheduler import\b", r"\1from lrkeeper.lr_scheduler import"),
    (r"^(\s*)import torch\.optim\.lr_scheduler as\b", r"\1import lrkeeper.lr_scheduler as"),
    (r"^(\s*)from torch\.optim\.swa_utils import SWALR$", r"\1from lrkeeper.lr_scheduler import SWALR"),
)


@dataclass(frozen=True)
class Outcome:
    """What a program shows: all of it has to be the same with both imports."""

    stdout: str
    warnings: list[tuple[str, str, str, int]]
    """Category, text, file and line."""
    exception: tuple[str, str, int] | None
    """Class, text, and the line of the program."""
    groups: list[list[dict[str, str]]]
    """Every optimizer's param groups, each number so that equal means the same bits."""


def with_drop_ins(source: str) -> str:
    """Return a program with its imports replaced. Raises ValueError if it has none to replace."""
    replaced = source
    for theirs, ours in _IMPORTS:
        replaced = re.sub(theirs, ours, replaced, flags=re.MULTILINE)
    if replaced == source:
        raise ValueError("the program imports no scheduler")
    return replaced


def run(name: str, source: str, given: Mapping[str, Any]) -> Outcome:
    """Run a program in a namespace of its own."""
    file = f"{name}.py"
    namespace: dict[str, Any] = {"__name__": "program", **given}
    if STAND_INS in source:
        namespace.update(stand_ins(namespace))
    torch.manual_seed(0)
    exception = None
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        warnings.catch_warnings(record=True) as caught,
    ):
        warnings.simplefilter("always")
        try:
            exec(compile(source, file, "exec"), namespace)
        except Exception as error:
            lines = [
                each.lineno for each in traceback.extract_tb(error.__traceback__) if each.filename == file
            ]
            exception = (type(error).__name__, str(error), lines[0] or 0)
    return Outcome(
        stdout=out.getvalue(),
        warnings=[(w.category.__name__, str(w.message), w.filename, w.lineno) for w in caught],
        exception=exception,
        groups=[_groups(o) for o in _once(namespace.values()) if isinstance(o, torch.optim.Optimizer)],
    )


def _once(values: Iterable[Any]) -> list[Any]:
    return list({id(value): value for value in values}.values())


def _groups(optimizer: torch.optim.Optimizer) -> list[dict[str, str]]:
    return [
        {key: _bits(value) for key, value in group.items() if key != "params"}
        for group in optimizer.param_groups
    ]


def _bits(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return f"{value.dtype} {float(value).hex()}"
    if isinstance(value, tuple | list):
        return f"{type(value).__name__} {[_bits(item) for item in value]}"
    return value.hex() if type(value) is float else repr(value)


def main() -> None:
    """Run the programs of stdin."""
    torch.set_num_threads(1)
    ours = sys.argv[1] == "lrkeeper"
    answer = sys.stdout
    found = {}
    for name, source in json.load(sys.stdin).items():
        found[name] = asdict(run(name, with_drop_ins(source) if ours else source, {}))
    json.dump(found, answer)


if __name__ == "__main__":
    importlib.import_module("lrkeeper.lr_scheduler")  # so that its import warns in neither run
    main()
