"""torch.optim.lr_scheduler.OneCycleLR."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Self

from lrkeeper.schedules import checks
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, Steps, number
from lrkeeper.schedules.schedule import definition
from lrkeeper.schedules.torch_schedule import Built, EpochSchedule, GroupKeys, PerGroup, each, written


@definition("one_cycle_lr")
class OneCycleLR(EpochSchedule):
    """Raises the lr to `max_lr` and lets it fall far below its start, once; momentum against it.

    Source: torch.optim.lr_scheduler.OneCycleLR, after Smith and Topin, Super-Convergence. Each phase goes
    from a to b: b + (a - b) / 2 · (cos(π p) + 1), or (b - a) · p + a, where p is the part of it that is
    over. Phases are initial_lr → max_lr → min_lr, or with three_phase initial_lr → max_lr → initial_lr →
    min_lr. One step past the end the lr rises again; the next fails, as torch's does.

    Args:
        max_lr: the highest lr; one, or one for each param group.
        total_steps: steps of the cycle; or `epochs` and `steps_per_epoch`, whose product it is.
        epochs: see total_steps.
        steps_per_epoch: see total_steps.
        pct_start: the part of the cycle in which the lr rises, from 0 to 1.
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether momentum moves from max_momentum to base_momentum and back.
        base_momentum: the lowest momentum; one, or one for each param group.
        max_momentum: the highest momentum; likewise.
        div_factor: max_lr / initial_lr.
        final_div_factor: initial_lr / min_lr.
        three_phase: whether the lr falls in a phase of its own as it rose.
        initial_lr: the lr at the start, where it does not follow from div_factor.
        min_lr: the lr at the end, where it does not follow from final_div_factor.
        phase_end_steps: the steps at which the phases end, where they do not follow from pct_start.

    Raises:
        TypeError: a field is of a wrong type.
        ValueError: a field is out of its range, or the number of steps is missing or given twice.
    """

    max_lr: PerGroup
    total_steps: Steps | None = None
    epochs: Steps | None = None
    steps_per_epoch: Steps | None = None
    pct_start: float = 0.3
    anneal_strategy: str = "cos"
    cycle_momentum: bool = True
    base_momentum: PerGroup = (0.85,)
    max_momentum: PerGroup = (0.95,)
    div_factor: float = 25.0
    final_div_factor: float = 1e4
    three_phase: bool = False
    initial_lr: PerGroup = ()
    min_lr: PerGroup = ()
    phase_end_steps: Sequence[float] = ()

    def check(self) -> None:
        checks.per_group("OneCycleLR", self, "max_lr", "base_momentum", "max_momentum")
        checks.per_group("OneCycleLR", self, "initial_lr", "min_lr", optional=True)
        checks.flags("OneCycleLR", self, "cycle_momentum", "three_phase")
        checks.one_of("OneCycleLR", "anneal_strategy", self.anneal_strategy, ("cos", "linear"))
        checks.inside("OneCycleLR", "pct_start", self.pct_start, at_least=0, at_most=1)
        checks.inside("OneCycleLR", "div_factor", self.div_factor, above=0)
        checks.inside("OneCycleLR", "final_div_factor", self.final_div_factor, above=0)
        self._check_steps()

    def _check_steps(self) -> None:
        if self.total_steps is not None:
            checks.whole("OneCycleLR", "total_steps", self.total_steps, at_least=1)
        elif self.epochs is None or self.steps_per_epoch is None:
            raise ValueError("OneCycleLR: total_steps is missing; give it, or epochs and steps_per_epoch")
        else:
            checks.whole("OneCycleLR", "epochs", self.epochs, at_least=1)
            checks.whole("OneCycleLR", "steps_per_epoch", self.steps_per_epoch, at_least=1)
        object.__setattr__(self, "phase_end_steps", tuple(self.phase_end_steps))
        phases = 3 if self.three_phase else 2
        if self.phase_end_steps and len(self.phase_end_steps) != phases:
            raise ValueError(
                f"OneCycleLR: phase_end_steps is {self.phase_end_steps!r}; it must have {phases} entries"
            )
        for place, end in enumerate(self.ends):
            checks.number("OneCycleLR", f"phase_end_steps[{place}]", end, "a number")
        if self.ends[0] == 0:
            raise ValueError(
                f"OneCycleLR: pct_start is {self.pct_start!r}; with {self._total()} steps the rise would take "
                "none: it must be another part of them than one step"
            )

    @property
    def moves(self) -> tuple[str, ...]:
        return ("lr", "momentum") if self.cycle_momentum else ("lr",)

    def writes(self) -> GroupKeys:
        lrs = {"initial_lr": self.initial_lrs, "max_lr": self.max_lr, "min_lr": self.min_lrs}
        if not self.cycle_momentum:
            return lrs
        return {**lrs, "base_momentum": self.base_momentum, "max_momentum": self.max_momentum}

    def reading(self, keys: GroupKeys) -> Self:
        own = self.writes()
        read = {key: keys[key] for key in own}
        return self if read == own else self.altered(**read)

    def construct(self, initial: Row | None, now: Row, inputs: Inputs) -> Built:
        lrs = each(self.initial_lrs, now["lr"])
        if self.cycle_momentum:
            now = written(now, "momentum", each(self.max_momentum, now["lr"]))
        return super().construct({"lr": tuple(number(lr) for lr in lrs)}, now, inputs)

    def get_lr(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Iterable[float]:
        if last_epoch > self._total():
            raise ValueError(f"step {last_epoch} is past the end: total_steps is {self._total()}")
        phase, part = self._place(last_epoch)
        first, top, last = (each(lrs, now["lr"]) for lrs in (self.initial_lrs, self.max_lr, self.min_lrs))
        corners = (first, top, first, last) if len(self.ends) == 3 else (first, top, last)
        return self._between(corners[phase], corners[phase + 1], part)

    def get_momentum(self, last_epoch: Steps, now: Row, inputs: Inputs) -> Iterable[float] | None:
        if not self.cycle_momentum:
            return None
        phase, part = self._place(last_epoch)
        low, high = each(self.base_momentum, now["lr"]), each(self.max_momentum, now["lr"])
        corners = (high, low, high, high)
        return self._between(corners[phase], corners[phase + 1], part)

    def _between(self, starts: Sequence[float], ends: Sequence[float], part: float) -> list[float]:
        if self.anneal_strategy == "linear":
            return [(end - start) * part + start for start, end in zip(starts, ends, strict=True)]
        height = math.cos(math.pi * part) + 1
        return [end + (start - end) / 2.0 * height for start, end in zip(starts, ends, strict=True)]

    def _place(self, step: Steps) -> tuple[int, float]:
        """Return the phase, and the part of it that is over."""
        begun = 0.0
        ends = self.ends
        for phase, end in enumerate(ends[:-1]):
            if step <= end:
                return phase, (step - begun) / (end - begun)
            begun = end
        return len(ends) - 1, (step - begun) / (ends[-1] - begun)

    @cached_property
    def ends(self) -> Sequence[float]:
        """The steps at which the phases end."""
        if self.phase_end_steps:
            return self.phase_end_steps
        total = self._total()
        rise = float(self.pct_start * total) - 1
        if self.three_phase:
            return rise, float(2 * self.pct_start * total) - 2, total - 1
        return rise, total - 1

    def _total(self) -> Steps:
        if self.total_steps is not None:
            return self.total_steps
        if self.epochs is None or self.steps_per_epoch is None:
            raise ValueError("total_steps is missing, and so are epochs and steps_per_epoch")
        return self.epochs * self.steps_per_epoch

    @cached_property
    def initial_lrs(self) -> PerGroup:
        """The lrs at the start."""
        return self.initial_lr or _divided(self.max_lr, self.div_factor)

    @cached_property
    def min_lrs(self) -> PerGroup:
        """The lrs at the end."""
        return self.min_lr or _divided(self.initial_lrs, self.final_div_factor)


def _divided(values: PerGroup, by: float) -> PerGroup:
    return tuple(value / by for value in ((values,) if isinstance(values, int | float) else values))
