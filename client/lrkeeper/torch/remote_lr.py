"""RemoteLR: any schedule, kept by a server, on a torch optimizer."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from inspect import signature
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from lrkeeper import schedules as S
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.calling import functions_problem
from lrkeeper.schedules.composable.matching import unmatched
from lrkeeper.schedules.cursor import begin
from lrkeeper.schedules.given import AXES, NOTHING, Given, progress_problem
from lrkeeper.torch import groups
from lrkeeper.torch.calling import calls
from lrkeeper.torch.hold import Hold
from lrkeeper.torch.kept import ENTRY, Kept
from lrkeeper.torch.memories import base_of, row_of
from lrkeeper.torch.options import Counts, OnLocalChange, OnMissing, OnOutage, Options, Sync
from lrkeeper.torch.strides import warn_of_strides
from lrkeeper.views import OnExisting, OnResume


class _Follower(LRScheduler):
    """A torch scheduler that computes nothing: it keeps what the groups hold.

    It does what LRScheduler does, also where a subclass has another of torch's classes behind it.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        LRScheduler.__init__(self, optimizer)

    def step(
        self, metrics: Any = None, *, samples: Any = None, tokens: Any = None, epochs: Any = None
    ) -> None:
        LRScheduler.step(self)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        LRScheduler.load_state_dict(self, state_dict)

    def get_lr(self) -> list[Any]:
        return [
            group["lr"].clone() if isinstance(group["lr"], torch.Tensor) else group["lr"]
            for group in self.optimizer.param_groups
        ]


class _Given:
    """The definition that the scheduler was given, wherever the scheduler is copied to."""

    def __init__(self, schedule: Schedule | str) -> None:
        self.schedule = schedule

    def __call__(self, _scheduler: Any) -> Schedule | str:
        return self.schedule


class RemoteLR(Kept, _Follower):
    """Applies a run's learning rate at every `scheduler.step()`.

    A torch LRScheduler to isinstance, with torch's attributes; the values come from the server. The run
    is opened at the first `optimizer.step()`, `scheduler.step()` or `get_last_lr()`; a state dict that is
    loaded before leads to its own run instead. With a definition whose steps take a metric, it is a torch
    ReduceLROnPlateau to isinstance too, as frameworks ask before they call `step(metric)`.

    `step(metrics=None, *, samples=None, tokens=None, epochs=None)` takes what the schedule needs: a metric, and
    how many samples, tokens or epochs the run has behind it. Those are totals of the whole run over all ranks.

    Args:
        optimizer: the optimizer whose param groups' lr is set. A tensor lr is written in place.
        schedule: a definition, such as `S.StepLR(step_size=30)`, or the name of one stored on the server.
        run: the run's name; LRKEEPER_RUN if None, else one is made up.
        unit: what a step is, for people: "epoch" or "step".
        labels: labels of the run, by which `lrkeeper run list` finds it.
        server: `host:port` or `unix:path`; LRKEEPER_SERVER if None.
        mode: "on", or "off" to evaluate in this process; LRKEEPER_MODE if None.
        incarnation: an id that all ranks of this start of the job share; made up if None.
        attempt: orders the starts of the job: an older one than the run has seen is refused.
        on_existing: what to do, without a checkpoint, with a run that exists: "resume" goes through its
            timeline again, "new_branch" begins anew, "takeover" resumes also where another job has it;
            LRKEEPER_ON_EXISTING if None, else "resume".
        on_missing: what to do with a checkpoint whose run the server does not know: "error", or "create"
            a run that goes on from the checkpoint.
        max_stall: seconds a step waits for a server that cannot be reached, once the values held have run out.
        horizon: seconds of values to hold, fetched in the background; LRKEEPER_HORIZON if None, else 30. 0: each
            step asks.
        on_outage: what to do when they have run out: "wait" up to `max_stall`, then raise; "hold" the last values;
            "forecast" what the schedule last known gives; "auto", the default, is "forecast" where the ranks cannot
            part (there is one, or sync="broadcast"), else "wait". What is used instead of the run's values is
            recorded as a deviation. LRKEEPER_ON_OUTAGE if None.
        sync: "each" rank asks the server by itself, the default; "broadcast": rank 0 asks, and the ranks meet through
            torch.distributed whenever the values held have run out. LRKEEPER_SYNC if None.
        on_local_change: what to do where other code has written the groups between two steps: "overwrite"
            with the run's values, and warn, or "adopt", so that the run goes on from them.
        parameters: numbers of the definition's parameters, such as {"total_steps": 10_000}.
        on_resume: what to do with a checkpoint: "exact" goes on at its step with the values that the run has there,
            "server" at the last step that the run has applied, "checkpoint" from what the checkpoint carries, on a
            branch of its own, "error" as "exact", but only if the run has not gone on or been edited since;
            LRKEEPER_ON_RESUME if None, else "exact".
        counts: which calls of `step` are steps of the run: "every_call", as in torch, or only the first one
            "after_optimizer_step": others do nothing. See docs/what-counts-as-a-step.md.

    Raises:
        TypeError: optimizer is no torch Optimizer, schedule neither definition nor name, or a param group has no
            number where the schedule moves one; or the definition calls functions, and has none; or the
            optimizer's steps cannot be counted.
        ValueError: the schedule moves what the param groups do not have, such as a momentum, or parameters are
            not those of the definition.
        NotConfigured: no server is named, or several ranks have nothing to agree through.
        ScheduleNotFound: the server has no schedule of that name.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedule: Schedule | str,
        *,
        run: str | None = None,
        unit: str = "step",
        labels: Mapping[str, str] | None = None,
        server: str | None = None,
        mode: str | None = None,
        incarnation: str | None = None,
        attempt: int | None = None,
        on_existing: OnExisting | None = None,
        on_missing: OnMissing = "error",
        max_stall: float = 300.0,
        on_local_change: OnLocalChange = "overwrite",
        parameters: Mapping[str, float] | None = None,
        horizon: float | None = None,
        on_outage: OnOutage | None = None,
        sync: Sync | None = None,
        on_resume: OnResume | None = None,
        counts: Counts = "every_call",
    ) -> None:
        if not isinstance(schedule, Schedule | str):
            raise TypeError(
                f"schedule is {schedule!r}; it must be a definition, such as S.StepLR(step_size=30), "
                "or the name of one stored on the server"
            )
        options = Options(
            run,
            unit,
            labels or {},
            server,
            mode,
            incarnation,
            attempt,
            on_existing,
            on_missing,
            max_stall,
            on_local_change,
            parameters or {},
            horizon,
            on_outage,
            sync,
            on_resume,
            counts=counts,
        )
        self._hold = Hold(options, _Given(schedule))
        super().__init__(optimizer)
        definition = self._hold.position.definition(schedule)
        if isinstance(definition, S.Tracks):
            groups.keep_initial(optimizer, definition.moves)
            names = [group.get("name") for group in optimizer.param_groups]
            for text in unmatched(definition.tracks, names):
                warnings.warn(
                    f"no param group is {text!r}, for which the schedule has a track: there are "
                    f"{', '.join(repr(n) if n else str(place) for place, n in enumerate(names))}",
                    UserWarning,
                    stacklevel=2,
                )
        self._hold.built(self)
        if problem := functions_problem(definition, len(optimizer.param_groups)):
            raise TypeError(problem)
        self._last_lr = groups.write(optimizer, self._first_row(definition))
        self._hold.begins_with(self)
        if self._hold.steps is None:
            warn_of_strides(self)
        else:
            self._hold.steps.watch(optimizer)
        if definition.takes_metric and type(self) is RemoteLR:
            self.__class__ = _RemoteMetricLR  # a stored definition is known only now

    def __setstate__(self, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
        """Watch the copy's own optimizer."""
        fields, slots = state
        self.__dict__.update(fields)
        for name, value in slots.items():
            setattr(self, name, value)
        if self._hold.steps is not None:
            self._hold.steps.watch(self.optimizer)

    def _told(self, args: Any, kwargs: Any) -> Given:
        """Return what a step was given: the metric, and the run's totals of samples, tokens, epochs.

        Raises ValueError for a total that is none.
        """
        if not args and not kwargs:
            return NOTHING
        told = signature(_Follower.step).bind(self, *args, **kwargs).arguments
        metric = told.get("metrics")
        progress = {axis: float(told[axis]) for axis in AXES if told.get(axis) is not None}
        for axis, total in progress.items():
            if problem := progress_problem(axis, total):
                raise ValueError(f"step: {problem}")
        return Given(metric=None if metric is None else float(metric), progress=progress or None)

    def _first_row(self, schedule: Schedule) -> groups.Held:
        """Return step 0's row, evaluated here; the run's own comes when it is opened."""
        tracks = schedule.moves
        now = row_of(self.optimizer, tracks)
        base = base_of(self.optimizer, tracks)
        cursor = begin(schedule, base, now, calls(self.optimizer))
        if any(schedule.callers()):
            self._hold.begins_at(schedule, cursor, base)
        return {track: tuple(float(value) for value in values) for track, values in cursor.row.items()}

    def state_dict(self) -> dict[str, Any]:
        """Return the state as primitives: loads under `torch.load(weights_only=True)`."""
        state = super().state_dict()
        for name in ("base_lrs", "_last_lr"):
            state[name] = [float(value) for value in state[name]]
        if self._hold.steps is not None:
            state[ENTRY]["optimizer_stepped"] = self._hold.steps.pending
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to the state's place on its run; the lr of that step is written into the optimizer."""
        base_lrs = self.base_lrs
        super().load_state_dict(state_dict)
        if self._hold.steps is not None:
            self._hold.steps.pending = bool(state_dict[ENTRY].get("optimizer_stepped"))
        for ours, theirs in zip(base_lrs, self.base_lrs, strict=False):
            if isinstance(ours, torch.Tensor):
                ours.fill_(theirs)
        if any(isinstance(value, torch.Tensor) for value in base_lrs):
            self.base_lrs = base_lrs


class _RemoteMetricLR(RemoteLR, ReduceLROnPlateau):
    """A RemoteLR whose steps take a metric. It has none of torch's counters: the run keeps them."""
