"""The client: every RPC as a method, with plain values."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal, TypeVar
from uuid import uuid4

from google.protobuf.message import Message

from lrkeeper import messages, repairs, views
from lrkeeper.channel import Channel
from lrkeeper.connection import Connection
from lrkeeper.errors import BadAnswer
from lrkeeper.schedules import Schedule, codec
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.schedules.pace import NO_PACE, Pace
from lrkeeper.schedules.table import Table
from lrkeeper.settings import Settings
from lrkeeper.v1 import run_pb2, run_service_pb2, schedule_service_pb2, server_service_pb2

R = TypeVar("R")

_DEVIATION_ROWS = 4096
_DEVIATION_NUMBERS = 1 << 17  # 1 MiB of doubles


class Client:
    """A connection to a server, for programs and operators. Safe to use from several threads.

    Args:
        server: `host:port` or `unix:path`; LRKEEPER_SERVER if None.
        timeout: seconds the server has for one try of a call.
        patience: seconds to go on trying while the server cannot be reached.

    Every method raises ServerUnavailable or DeadlineExceeded where there is no answer, and the
    `lrkeeper.errors` class of the reason where the server refuses.
    """

    def __init__(self, server: str | None = None, *, timeout: float = 10.0, patience: float = 0.0) -> None:
        self._patience = patience
        self._connection = Connection(Settings.find(server, mode="on").server, timeout)

    @property
    def server(self) -> str:
        """The server's address."""
        return self._connection.server

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # What a job does.

    def acquire_run(self, start: views.Start, *, patience: float | None = None) -> views.Place:
        """Take a run for a start of a job, creating it if it is new."""
        request = messages.acquire_request(start)
        answer = self._call(lambda c: c.runs.AcquireRun, request, patience=patience, quick=True)
        place = messages.place(start, answer)
        repairs.say(start, place)
        return place

    def next_lr(
        self,
        place: views.Place,
        from_step: int,
        count: int = 1,
        *,
        applied_step: int,
        revision: int,
        given: Given = NOTHING,
        ahead: Sequence[Given] = (),
        frontier: int | None = None,
        patience: float | None = None,
    ) -> views.Window:
        """Return `count` steps' values from `from_step`, as many as there are; see NextLr.

        Args:
            place: what `acquire_run` gave.
            from_step: above the run's origin.
            count: how many steps.
            applied_step: the step whose values the optimizer has.
            revision: the run's revision last seen.
            given: what the first step learned from outside, and the only one without `ahead`.
            ahead: what the other steps are told, one for each, if the job knows: factors of functions that depend on
                the step alone, and the totals of "tokens", "samples" and "epochs" that it will have behind it.
            frontier: the highest frontier of the branch that this rank has seen; the place's if None. A database that
                has less answers StoreChanged, and commits nothing.
            patience: as the class's.
        """
        request = messages.next_lr_request(
            place,
            from_step,
            count,
            applied_step=applied_step,
            revision=revision,
            given=given,
            ahead=ahead,
            frontier=place.frontier if frontier is None else frontier,
        )
        answer = self._call(lambda c: c.runs.NextLr, request, patience=patience, quick=True)
        window = messages.window(request, answer)
        table = window.table
        if table is not None:
            place_table = place.values
            if (table.tracks, table.groups) != (place_table.tracks, place_table.groups):
                raise BadAnswer(
                    f"the server gave the tracks {list(table.tracks)} of {table.groups} param groups; "
                    f"the run has {list(place_table.tracks)} of {place_table.groups}"
                )
            messages.check_numbers(table)
        return window

    def report_deviation(self, place: views.Place, table: Table, kind: views.DeviationKind) -> None:
        """Tell what the optimizer had instead of the run's values, in as many calls as it takes.

        The same table again changes nothing; the run's timeline never changes by it.

        Args:
            place: what `acquire_run` gave; another start may hold the run by now.
            table: the values of the steps in question, with the run's tracks and param groups.
            kind: "hold" if they are the last ones known, "forecast" if the job evaluated the schedule.
        """
        rows = max(1, min(_DEVIATION_ROWS, _DEVIATION_NUMBERS // (table.width)))
        for first in range(table.first_step, table.end_step, rows):
            part = table.cut(first, min(first + rows, table.end_step))
            request = messages.deviation_request(place, part, kind)
            self._call(lambda c: c.runs.ReportDeviation, request)

    def finish_run(self, run: str, *, fence: int | None = None) -> views.Run:
        """Mark a run finished; with a fence, only if that start still holds it."""
        request = run_service_pb2.FinishRunRequest(run=run, fence=fence)
        return messages.run(self._call(lambda c: c.runs.FinishRun, request).run)

    # What an operator does.

    def get_run(self, run: str, *, patience: float | None = None) -> views.Run:
        """Return a run with its edits."""
        request = run_service_pb2.GetRunRequest(run=run)
        return messages.run(self._call(lambda c: c.runs.GetRun, request, patience=patience, quick=True).run)

    def list_runs(
        self,
        *,
        labels: Mapping[str, str] | None = None,
        state: Literal["active", "finished"] | None = None,
        page_size: int = 0,
    ) -> Iterator[views.Run]:
        """Yield runs, the newest first, page by page; without their edits."""
        states = {"active": run_pb2.RUN_STATE_ACTIVE, "finished": run_pb2.RUN_STATE_FINISHED}
        token = ""
        while True:
            request = run_service_pb2.ListRunsRequest(page_size=page_size, page_token=token, labels=labels)
            if state is not None:
                request.state = states[state]
            answer = self._call(lambda c: c.runs.ListRuns, request)
            yield from map(messages.run, answer.runs)
            token = answer.next_page_token
            if not token:
                return

    def list_blocks(
        self, run: str, *, branch: int | None = None, from_step: int = 0, page_size: int = 0
    ) -> Iterator[views.Block]:
        """Yield a branch's committed blocks, in order of steps."""
        token = ""
        while True:
            request = run_service_pb2.ListBlocksRequest(
                run=run, branch=branch, from_step=from_step, page_size=page_size, page_token=token
            )
            answer = self._call(lambda c: c.runs.ListBlocks, request)
            yield from map(messages.block, answer.blocks)
            token = answer.next_page_token
            if not token:
                return

    def explain(self, run: str, step: int, *, branch: int | None = None) -> views.Explanation:
        """Tell why a step of a run has its values."""
        request = run_service_pb2.ExplainRequest(run=run, step=step, branch=branch)
        return messages.explanation(self._call(lambda c: c.runs.Explain, request))

    def edit_run(
        self,
        run: str,
        schedule: Schedule | str,
        *,
        expected_revision: int,
        reason: str,
        at_step: int | None = None,
        not_after_step: int | None = None,
        author: str | None = None,
        request_id: str | None = None,
        validate_only: bool = False,
        parameters: Mapping[str, float] | None = None,
    ) -> views.Edited:
        """Give a live run another schedule: a definition, or the name of a stored one to follow.

        Args:
            run: the run's name.
            schedule: what rules from the effective step on, as if it had from the start.
            expected_revision: the run's revision, as last read.
            reason: why, for the record.
            at_step: from which step on; the run's frontier if None or below it.
            not_after_step: refuse rather than act later than this.
            author: who, for the record; the user and host if None.
            request_id: a UUID; the same one again repeats the same edit, once.
            validate_only: say what would happen, and change nothing.
            parameters: numbers of the definition's parameters; where absent, those the run has given so far.
        """
        request = run_service_pb2.EditRunRequest(
            run=run,
            request_id=request_id or str(uuid4()),
            expected_revision=expected_revision,
            at_step=at_step,
            not_after_step=not_after_step,
            reason=reason,
            author=author or this_author(),
            validate_only=validate_only,
            parameters=parameters,
        )
        if isinstance(schedule, str):
            request.replace.schedule_name = schedule
        else:
            request.replace.schedule.CopyFrom(codec.encode(schedule))
        answer = self._call(lambda c: c.runs.EditRun, request, timeout=60.0)
        return views.Edited(
            revision=answer.revision,
            effective_step=answer.effective_step,
            clamped=answer.clamped,
            preview=messages.values(answer.preview, at_most=64),
            failure=messages.failure(answer.error) if answer.HasField("error") else None,
        )

    def rollback_run(
        self,
        run: str,
        to_step: int,
        *,
        expected_revision: int,
        reason: str,
        keep_edits: bool = False,
        schedule: Schedule | str | None = None,
        author: str | None = None,
        request_id: str | None = None,
        validate_only: bool = False,
        parameters: Mapping[str, float] | None = None,
    ) -> views.RolledBack:
        """Take a run back to a step: it goes on from there on a new branch. The start that holds it is fenced.

        Args:
            run: the run's name.
            to_step: the last step that stays.
            expected_revision: the run's revision, as last read.
            reason: why, for the record.
            keep_edits: whether edits that act after the step go on to act at their steps; else they are dropped.
            schedule: what rules from the step after `to_step` on, as edit_run's; None: what ruled before.
            author: who, for the record; the user and host if None.
            request_id: a UUID; the same one again repeats the same rollback, once.
            validate_only: say what would happen, and change nothing.
            parameters: numbers of the schedule's parameters; where absent, those the run has given so far.
        """
        request = run_service_pb2.RollbackRunRequest(
            run=run,
            to_step=to_step,
            request_id=request_id or str(uuid4()),
            expected_revision=expected_revision,
            keep_edits=keep_edits,
            reason=reason,
            author=author or this_author(),
            validate_only=validate_only,
            parameters=parameters,
        )
        if isinstance(schedule, str):
            request.replace.schedule_name = schedule
        elif schedule is not None:
            request.replace.schedule.CopyFrom(codec.encode(schedule))
        return messages.rolled_back(self._call(lambda c: c.runs.RollbackRun, request, timeout=60.0))

    def fork_run(
        self,
        run: str,
        new_run: str,
        at_step: int,
        *,
        reason: str,
        branch: int | None = None,
        keep_edits: bool = False,
        labels: Mapping[str, str] | None = None,
        author: str | None = None,
        request_id: str | None = None,
    ) -> views.Run:
        """Return another run, which begins where this one was at a step; this one is left as it is.

        A job goes on with it by its name: from its beginning, or with a checkpoint of `run` at the step.

        Args:
            run: the run's name.
            new_run: the new one's.
            at_step: the step at which it begins, with this run's values.
            reason: why, for the record.
            branch: the branch that has the step; the run's timeline if None.
            keep_edits: whether edits that act after the step act on the new run too.
            labels: labels of the new run, besides those of this one.
            author: who, for the record; the user and host if None.
            request_id: a UUID; the same one again repeats the same fork, once.
        """
        request = run_service_pb2.ForkRunRequest(
            run=run,
            new_run=new_run,
            at_step=at_step,
            branch=branch,
            request_id=request_id or str(uuid4()),
            keep_edits=keep_edits,
            reason=reason,
            author=author or this_author(),
            labels=labels,
        )
        return messages.run(self._call(lambda c: c.runs.ForkRun, request, timeout=60.0).run)

    def delete_run(self, run: str, *, force: bool = False) -> None:
        """Delete a run; its name becomes free."""
        self._call(lambda c: c.runs.DeleteRun, run_service_pb2.DeleteRunRequest(run=run, force=force))

    # Schedules.

    def create_schedule(
        self, name: str, schedule: Schedule, *, reason: str = "", author: str | None = None
    ) -> views.StoredSchedule:
        """Store a definition under a new name."""
        request = schedule_service_pb2.CreateScheduleRequest(
            name=name, schedule=codec.encode(schedule), reason=reason, author=author or this_author()
        )
        answer = self._call(lambda c: c.schedules.CreateSchedule, request)
        return messages.stored_schedule(answer.schedule)

    def get_schedule(self, name: str, revision: int | None = None) -> views.StoredSchedule:
        """Return a stored schedule's head, or the revision asked for."""
        request = schedule_service_pb2.GetScheduleRequest(name=name, revision=revision)
        return messages.stored_schedule(self._call(lambda c: c.schedules.GetSchedule, request).schedule)

    def list_schedules(self, *, page_size: int = 0) -> Iterator[views.StoredSchedule]:
        """Yield stored schedules by name, page by page."""
        token = ""
        while True:
            request = schedule_service_pb2.ListSchedulesRequest(page_size=page_size, page_token=token)
            answer = self._call(lambda c: c.schedules.ListSchedules, request)
            yield from map(messages.stored_schedule, answer.schedules)
            token = answer.next_page_token
            if not token:
                return

    def list_presets(self) -> tuple[views.StoredSchedule, ...]:
        """Return the definitions that come with the server; their names begin with "presets/"."""
        request = schedule_service_pb2.ListSchedulesRequest(page_size=1)
        answer = self._call(lambda c: c.schedules.ListSchedules, request)
        return tuple(map(messages.stored_schedule, answer.presets))

    def update_schedule(
        self,
        name: str,
        schedule: Schedule,
        *,
        etag: str,
        reason: str = "",
        author: str | None = None,
        request_id: str | None = None,
    ) -> tuple[views.StoredSchedule, tuple[views.Follower, ...]]:
        """Store a new revision; return it and from which step on each following run has it."""
        request = schedule_service_pb2.UpdateScheduleRequest(
            name=name,
            schedule=codec.encode(schedule),
            etag=etag,
            reason=reason,
            author=author or this_author(),
            request_id=request_id or str(uuid4()),
        )
        answer = self._call(lambda c: c.schedules.UpdateSchedule, request, timeout=60.0)
        followers = tuple(views.Follower(f.run, f.effective_step, f.refusal) for f in answer.followers)
        return messages.stored_schedule(answer.schedule), followers

    def delete_schedule(self, name: str, *, etag: str = "") -> None:
        """Delete a stored schedule that no unfinished run follows."""
        request = schedule_service_pb2.DeleteScheduleRequest(name=name, etag=etag)
        self._call(lambda c: c.schedules.DeleteSchedule, request)

    def preview_schedule(
        self,
        schedule: Schedule | str,
        steps: int,
        *,
        first_step: int = 0,
        base_lrs: Sequence[float] = (),
        groups: Sequence[views.Group] = (),
        parameters: Mapping[str, float] | None = None,
        pace: Pace = NO_PACE,
    ) -> views.Preview:
        """Return the rows a definition, or a stored schedule, would give; nothing is stored.

        Args:
            schedule: a definition, or a stored schedule's name.
            steps: how many rows.
            first_step: the step of the first one.
            base_lrs: the base lr of each param group; one group with 0.1 if empty.
            groups: the param groups, instead of base_lrs; a track that they do not have begins at 1.
            parameters: numbers of the definition's parameters.
            pace: what a step has, where the schedule counts epochs, samples or tokens.
        """
        request = schedule_service_pb2.PreviewScheduleRequest(
            steps=steps,
            first_step=first_step,
            base_lrs=base_lrs,
            pace=schedule_service_pb2.Pace(**vars(pace)),
            parameters=parameters,
            groups=map(messages.group_message, groups),
        )
        if isinstance(schedule, str):
            request.name = schedule
        else:
            request.schedule.CopyFrom(codec.encode(schedule))
        answer = self._call(lambda c: c.schedules.PreviewSchedule, request, timeout=60.0)
        return views.Preview(
            schedule=messages.schedule(answer.schedule),
            table=messages.values(answer.values, at_most=steps),
            failure=messages.failure(answer.error) if answer.HasField("error") else None,
        )

    def get_server(self, *, patience: float | None = None) -> views.Server:
        """Return what the server says of itself."""
        request = server_service_pb2.GetServerRequest()
        answer = self._call(lambda c: c.about.GetServer, request, patience=patience, quick=True)
        return views.Server(
            version=answer.version,
            evaluator_version=answer.evaluator_version,
            math_fingerprint=answer.math_fingerprint,
            store_epoch=answer.store_epoch,
            database=answer.database,
            time=messages.time(answer.server_time),
        )

    def _call(
        self,
        method: Callable[[Channel], Callable[..., R]],
        request: Message,
        timeout: float | None = None,
        patience: float | None = None,
        *,
        quick: bool = False,
    ) -> R:
        patience = self._patience if patience is None else patience
        return self._connection.call(method, request, timeout=timeout, patience=patience, quick=quick)


def this_author() -> str:
    """Return who is asking, for the record: user@host."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
