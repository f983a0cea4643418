"""A job resumes from a state dict: which run that leads to, and what was decided, for people to read."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator
from contextlib import suppress

from lrkeeper import errors, views
from lrkeeper.client import Client
from lrkeeper.schedules import Schedule, codec
from lrkeeper.torch.runs import Runs
from lrkeeper.torch.ticket import Ticket

_log = logging.getLogger("lrkeeper")

_LOOK_SECONDS = 3.0


def is_fork(runs: Runs, name: str, ticket: Ticket) -> bool:
    """Return whether the server has a run of that name that was forked from the ticket's; it looks at the step."""
    if isinstance(runs, Client):
        with suppress(errors.RunNotFound):
            return forked_from(runs.get_run(name, patience=_LOOK_SECONDS)) == ticket.place.run_uid
    return False


def forked_from(run: views.Run) -> str | None:
    """Return the uid of the run that a run was forked from."""
    return None if run.forked_from is None else run.forked_from.run_uid


def tell(
    start: views.Start, place: views.Place, ticket: Ticket | None, groups: tuple[views.Group, ...]
) -> None:
    """Log who wins where the job, its checkpoint and the run say different things."""
    if ticket is None or start.checkpoint is None:
        return
    step = start.checkpoint.step
    if place.resume_step != step:
        _log.warning(
            "run %r goes on at step %d, which it applied last, not at its checkpoint's %d (on_resume='server')",
            place.run,
            place.resume_step,
            step,
        )
    elif start.on_resume == "checkpoint" and not place.created:
        _log.warning(
            "run %r goes on from its checkpoint of step %d, on branch %d, with what the checkpoint carries: %s "
            "(on_resume='checkpoint')",
            place.run,
            step,
            place.branch,
            ticket.schedule,
        )
    if (
        isinstance(start.schedule, Schedule)
        and start.on_resume == "checkpoint"
        and start.schedule != ticket.schedule
    ):
        _log.warning(
            "the job brings %s, the checkpoint %s; the checkpoint's wins", start.schedule, ticket.schedule
        )
    for number, (ours, theirs) in enumerate(zip(groups, ticket.groups, strict=False)):
        for track, value in theirs.initial.items():
            if ours.initial.get(track, value) != value:
                _log.warning(
                    "param group %d has the base %s %r in the job and %r in its checkpoint; the checkpoint's wins",
                    number,
                    track,
                    ours.initial[track],
                    value,
                )


def say_where(place: views.Place, *, resumed: bool, shared: bool) -> None:
    """Log where a job stands on a run that was there, which edits are in force, and how they can act from here on."""
    if place.created:
        return
    in_force = _in_force(place)
    edits = [f"revision {e.revision} from step {e.effective_step} ({e.author}: {e.reason})" for e in in_force]
    begun = shared and place.fence == 1  # by another rank of this start
    how = "resumed" if resumed else "begun" if begun else "begun again"
    _log.log(
        logging.INFO if (resumed or begun) and not edits else logging.WARNING,
        "run %r %s at step %d; steps below %d have their values already%s%s",
        place.run,
        how,
        place.resume_step,
        place.frontier,
        f"; edits in force: {', '.join(edits)}" if edits else "",
        "".join(_ways_to_act_now(place, in_force)) if resumed else "",
    )


def _ways_to_act_now(place: views.Place, in_force: list[views.Edit]) -> Iterator[str]:
    """Yield, for each edit that acts later than on the next step, what takes the run back and edits it at once."""
    for edit in in_force:
        if edit.effective_step > place.resume_step + 1:
            schedule, reason = codec.to_json(edit.schedule), edit.reason or "to act earlier"
            later_ones = "" if edit is in_force[-1] else " --keep-edits"
            yield (
                f"; to have revision {edit.revision} act from step {place.resume_step + 1} on, end this start, run "
                f"`printf %s {shlex.quote(schedule)} | lrkeeper run rollback {shlex.quote(place.run)} "
                f"--to-step {place.resume_step} --schedule - --reason {shlex.quote(reason)}{later_ones} --yes` "
                "and start the job again from its checkpoint"
            )


def _in_force(place: views.Place) -> list[views.Edit]:
    """Return the edits that rule some step from the place on: a later one ends those at its step or above."""
    ruling: list[views.Edit] = []
    for edit in place.edits:
        while ruling and ruling[-1].effective_step >= edit.effective_step:
            ruling.pop()
        ruling.append(edit)
    return [
        edit
        for edit, after in zip(ruling, [*ruling[1:], None], strict=False)
        if after is None or after.effective_step > place.resume_step
    ]
