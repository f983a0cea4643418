"""A formula."""

from __future__ import annotations

from functools import lru_cache

from lrkeeper.schedules import checks, expressions
from lrkeeper.schedules.composable.closed_form import ClosedForm, Curve, Scope
from lrkeeper.schedules.schedule import definition

AXES = {"step": "steps", "epoch": "epochs", "samples": "samples", "tokens": "tokens"}
"""The names of the outer time, each with what the clock then counts."""

NAMES = frozenset({*AXES, "progress", "total", "base", "base_lr", "before", "u", "p"})

_TRIED = (0.0, 1.0, 10.0, 100.0)


@definition("expression")
class Expression(ClosedForm):
    """A formula of lrkeeper's own grammar (docs/expressions.md), such as `base_lr * 0.95 ** (step / 100)`.

    Its names:

    * `step`, `epoch`, `samples` or `tokens`: the time of the whole; which of them says what the clock counts
    * `u`: the time since the stage began
    * `total`, `progress`: how long the whole is, and which part of that has passed, at most 1
    * `p`: which part of the stage has passed, at most 1
    * `base` or `base_lr`: the base value
    * `before`: what the stage before has reached

    When it is built it is tried at the times 0, 1, 10 and 100; at 0 only if it names no time of the whole, as a later
    stage is never asked there.

    Args:
        text: the formula.
        relative: whether its result is times the base value.

    Raises:
        TypeError, ValueError: text is no formula (the column is said), or has no value at one of those times.
    """

    text: str
    relative: bool = False

    def check(self) -> None:
        if not isinstance(self.text, str):
            raise TypeError(f"Expression: text is {self.text!r}; it must be a formula, as text")
        checks.flags("Expression", self, "relative")
        try:
            parsed = _parsed(self.text)
            late = not parsed.names.isdisjoint({*AXES, "progress"})
            expressions.probe(
                parsed,
                lambda u: (
                    dict.fromkeys(AXES, u)
                    | {"u": u, "p": u / 100, "progress": u / 100, "total": 100.0}
                    | {"base": 1.0, "base_lr": 1.0, "before": 1.0}
                ),
                _TRIED[late:],
                unit="time",
            )
        except ValueError as error:
            raise ValueError(f"Expression: text: {error}") from error

    @property
    def named_axes(self) -> frozenset[str]:
        return frozenset(AXES[name] for name in _parsed(self.text).names if name in AXES)

    def compile(self, scope: Scope) -> Curve:
        parsed = _parsed(self.text)
        for name in sorted(parsed.names & AXES.keys()):
            if AXES[name] != scope.axis:
                raise ValueError(f"Expression: text names {name}, and the clock counts {scope.axis}")
        total, began = scope.total, scope.began
        length = scope.length
        if length is None and total is not None:
            length = total - began
        if total is None and parsed.names & {"total", "progress"}:
            raise ValueError(f"Expression: text is {self.text!r}, and no total is given")
        if length is None and "p" in parsed.names:
            raise ValueError(f"Expression: text is {self.text!r}, and how long the stage is is not given")
        fixed = {"base": scope.base, "base_lr": scope.base, "before": scope.before, "total": total or 0.0}
        outer = next(name for name in AXES if AXES[name] == scope.axis)
        whole, own, factor = total or 1.0, length or 1.0, scope.base if self.relative else 1.0

        def at(time: float) -> float:
            now = began + time
            return factor * parsed.evaluate(
                fixed | {outer: now, "u": time, "p": min(1.0, time / own), "progress": min(1.0, now / whole)}
            )

        return at


@lru_cache(maxsize=512)
def _parsed(text: str) -> expressions.Expression:
    return expressions.parse(text, NAMES)
