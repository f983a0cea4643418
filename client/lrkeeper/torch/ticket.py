"""What a scheduler's state dict holds of its run: primitives, enough to find it or to go on without."""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import DecodeError

from lrkeeper import messages
from lrkeeper.errors import BadAnswer, BadCheckpoint
from lrkeeper.schedules import Schedule, codec
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.schedules.table import Table
from lrkeeper.v1 import values_pb2
from lrkeeper.views import (
    Checkpoint,
    DeviationKind,
    Group,
    Origin,
    Place,
    Window,
)

VERSION = 1

_MOST = 1 << 20
"""More rows than these are in no state dict."""


@dataclass(frozen=True)
class Ticket:
    """A place on a run: `place` with `step`, and all that NextLr told there."""

    place: Place
    step: int
    values: Table
    revision: int
    schedule: Schedule
    cursor: str
    cursor_step: int
    groups: tuple[Group, ...]
    given: Given = NOTHING
    """What the step was given, if anything."""
    ahead: tuple[Window, ...] = ()
    """Rows of the steps after it that a checkpoint has."""
    deviation: tuple[DeviationKind, Table, tuple[Given, ...]] | None = None
    """What a checkpoint says was used instead of the run's rows, up to the step."""
    one_by_one: bool = False
    """Whether other code has written the groups, or set an epoch: it may at any step, so none is asked for ahead."""

    @property
    def checkpoint(self) -> Checkpoint:
        """The place as AcquireRun asks for it: the last step that had the run's row."""
        step = self.step if self.deviation is None else self.deviation[1].first_step - 1
        return Checkpoint(self.place.run_uid, self.place.branch, step)

    @property
    def origin(self) -> Origin:
        """What a run that begins here needs."""
        return Origin(self.schedule, self.cursor, self.cursor_step, self.values, self.given)

    def moved(self, step: int, window: Window) -> Ticket:
        """Return the ticket of another step of the branch, which a window has."""
        assert window.table is not None
        return replace(
            self,
            step=step,
            values=window.table.cut(step, step + 1),
            revision=window.revision,
            schedule=window.schedule or self.schedule,
            cursor=window.cursor,
            cursor_step=window.cursor_step,
            given=window.given,
            ahead=(),
            deviation=None,
        )

    def to_state(self) -> dict[str, Any]:
        """Return the ticket as primitives."""
        return {
            "version": VERSION,
            "run": self.place.run,
            "run_uid": self.place.run_uid,
            "store_epoch": self.place.store_epoch,
            "fence": self.place.fence,
            "branch": self.place.branch,
            "step": self.step,
            "frontier": self.place.frontier,
            "revision": self.revision,
            "schedule": codec.to_json(self.schedule),
            "cursor": self.cursor,
            "cursor_step": self.cursor_step,
            "given": self.given.to_json(),
            "one_by_one": self.one_by_one,
            "values": {track: list(values) for track, values in self.values.row(self.step).items()},
            "groups": [
                {
                    "name": group.name,
                    "number": group.number,
                    "initial": dict(group.initial),
                    "current": dict(group.current),
                }
                for group in self.groups
            ],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Ticket | None:
        """Read what `to_state` wrote; None where the scheduler had not opened its run yet.

        Raises BadCheckpoint.
        """
        try:
            if state["version"] != VERSION:
                raise BadCheckpoint(
                    f"the state dict has lrkeeper state of version {state['version']}; this one reads {VERSION}"
                )
            if state["run_uid"] is None:
                return None
            step = state["step"]
            if type(step) is not int or step < 0:
                raise ValueError(f"step is {step!r}")
            schedule = codec.from_json(state["schedule"])
            row = {track: tuple(values) for track, values in state["values"].items()}
            values = Table.from_rows(step, [row])
            groups = tuple(Group(**group) for group in state["groups"])
            if groups and (
                values.groups != len(groups) or any(math.isnan(v) for track in row.values() for v in track)
            ):
                raise ValueError("values are not numbers of the groups")
            place = Place(
                run=state["run"],
                run_uid=state["run_uid"],
                store_epoch=state["store_epoch"],
                incarnation="",
                rank=0,
                fence=state.get("fence", 0),
                branch=state["branch"],
                resume_step=step,
                frontier=state["frontier"],
                revision=state["revision"],
                values=values,
                schedule=schedule,
                cursor=state["cursor"],
                cursor_step=state["cursor_step"],
            )
            return cls(
                place,
                step,
                values,
                state["revision"],
                schedule,
                state["cursor"],
                state["cursor_step"],
                groups,
                Given.from_json(state.get("given", "{}")),
                *_more_from_state(state, values),
                one_by_one=state.get("one_by_one", False) is True,
            )
        except (KeyError, TypeError, ValueError, AttributeError, BadAnswer, DecodeError) as error:
            raise BadCheckpoint(f"the state dict's lrkeeper entry cannot be read: {error!r}") from error


def more_to_state(
    ahead: tuple[Window, ...], deviation: tuple[Place, Table, DeviationKind, tuple[Given, ...]] | None
) -> dict[str, Any]:
    """Return, as primitives, rows of the steps after the ticket's, and those used instead of the run's up to it."""
    state: dict[str, Any] = {"ahead": [_to_text(messages.window_to_bytes(window)) for window in ahead]}
    if deviation is not None:
        _, table, kind, given = deviation
        state["deviation"] = [kind, _to_text(table.to_message().SerializeToString())]
        if any(given):
            state["deviation"].append([each.to_json() for each in given])
    return state


def _more_from_state(
    state: Mapping[str, Any], values: Table
) -> tuple[tuple[Window, ...], tuple[DeviationKind, Table, tuple[Given, ...]] | None]:
    ahead = tuple(messages.window_from_bytes(_from_text(text)) for text in state.get("ahead", ()))
    step = values.end_step
    for window in ahead:
        if window.table is None or window.table.first_step != step:
            raise ValueError(f"ahead does not have step {step}")
        step = _checked(window.table, values).end_step
    if "deviation" not in state:
        return ahead, None
    kind, text, *given = state["deviation"]
    message = values_pb2.Values.FromString(_from_text(text))
    table = _checked(Table.from_message(message, at_most=_MOST), values)
    if kind not in ("hold", "forecast") or table.end_step != values.end_step:
        raise ValueError(f"deviation is of kind {kind!r} and ends at step {table.end_step - 1}")
    told = tuple(Given.from_json(each) for each in given[0]) if given else ()
    if len(told) not in (0, table.count):
        raise ValueError("deviation was not given something for each of its steps")
    return ahead, (kind, table, told)


def _checked(table: Table, values: Table) -> Table:
    if (table.tracks, table.groups) != (values.tracks, values.groups):
        raise ValueError("rows are not of the groups")
    messages.check_numbers(table)
    return table


def _to_text(data: bytes) -> str:
    return b64encode(data).decode("ascii")


def _from_text(text: str) -> bytes:
    return b64decode(text, validate=True)


def unopened(run: str | None) -> dict[str, Any]:
    """Return the state of a scheduler that has not opened its run."""
    return {"version": VERSION, "run": run, "run_uid": None, "step": 0}
