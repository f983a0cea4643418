"""What a job brings that is not its run's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lrkeeper.errors import GroupsDiffer, ScheduleDiffers
from lrkeeper.schedules import codec

if TYPE_CHECKING:
    from lrkeeper.server.runs.acquire import Start
    from lrkeeper.server.runs.records import Branch, ParamGroup


def check_definition(start: Start, branch: Branch) -> None:
    """Raise ScheduleDiffers or GroupsDiffer, with the ways on, unless a start brings what the branch has."""
    origin = branch.origin
    ways = "or start anew with another run name or on_existing='new_branch'"
    if start.checkpoint is not None:
        ways += ", or go on with what the checkpoint carries: on_resume='checkpoint'"
    follows_same = start.schedule_uid is not None and start.schedule_uid == origin.schedule_uid
    if follows_same and start.definition != origin.definition and start.parameters != origin.parameters:
        raise ScheduleDiffers(
            f"the job gives its schedule the parameters {dict(start.parameters)}, and run {start.run!r} began with "
            f"{dict(origin.parameters)}; give those, or change the run with `lrkeeper run set-schedule {start.run}`, "
            f"{ways}",
            run=start.run,
        )
    if not follows_same and not codec.same(start.definition, origin.definition):
        ours, theirs = (codec.from_json(text) for text in (start.definition, origin.definition))
        raise ScheduleDiffers(
            f"the job brings {ours}, and run {start.run!r} began with {theirs}; bring that, or change the "
            f"run with `lrkeeper run set-schedule {start.run}`, {ways}",
            run=start.run,
        )
    difference = groups_difference(start.groups, branch.groups)
    if difference:
        raise GroupsDiffer(
            f"the job's param groups are not those of run {start.run!r}: {difference}; bring those, {ways}",
            run=start.run,
        )


def groups_difference(ours: tuple[ParamGroup, ...], theirs: tuple[ParamGroup, ...]) -> str:
    """Say how the job's param groups differ from the run's; empty if they do not."""
    if len(ours) != len(theirs):
        return f"the job has {len(ours)}, the run {len(theirs)}"
    for place, (our, their) in enumerate(zip(ours, theirs, strict=True)):
        if our.name != their.name:
            return f"group {place} is named {our.name!r} in the job, {their.name!r} in the run"
        if our.number != their.number:
            return f"group {place} computes in {our.number} in the job, in {their.number} in the run"
        if dict(our.initial) != dict(their.initial):
            return f"group {place} has the base values {dict(our.initial)} in the job, {dict(their.initial)} in the run"
    return ""
