"""The contract's reads and writes in SQL, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, func, insert, select, update
from sqlalchemy import Table as SqlTable
from sqlalchemy.dialects import postgresql, sqlite

from lrkeeper.server.runs.frontier import Heard
from lrkeeper.server.runs.records import (
    Block,
    Branch,
    Deviation,
    Edit,
    Incarnation,
    LostEdit,
    RankProgress,
    Run,
    ScheduleRevision,
)
from lrkeeper.server.storage import tables as t
from lrkeeper.server.storage.rows import (
    FORKED_FROM,
    block_of,
    block_values,
    branch_of,
    deviation_of,
    edit_of,
    numbers_text,
    revision_values,
    run_of,
    table_values,
)

_SCHEDULES = select(
    t.schedules.c.uid, t.schedules.c.name, t.schedules.c.head_revision, *t.schedule_revisions.c[1:]
).join(t.schedule_revisions)
_HEADS = _SCHEDULES.where(t.schedule_revisions.c.revision == t.schedules.c.head_revision)


class SqlTransaction:
    """`Transaction` on a connection in whose transaction it works."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # runs

    def run_by_name(self, name: str) -> Run | None:
        where = (t.runs.c.name == name, t.runs.c.deleted_at.is_(None))
        return self._run(select(t.runs).where(*where).with_for_update())

    def run_by_uid(self, uid: str) -> Run | None:
        return self._run(select(t.runs).where(t.runs.c.uid == uid).with_for_update())

    def _run(self, query: Select[Any]) -> Run | None:
        return next(iter(self._runs(query)), None)

    def _runs(self, query: Select[Any]) -> list[Run]:
        rows = self._connection.execute(query).all()
        labels: dict[str, dict[str, str]] = {row.uid: {} for row in rows}
        found = select(t.run_labels).where(t.run_labels.c.run_uid.in_(labels)).order_by(t.run_labels.c.key)
        for label in self._connection.execute(found):
            labels[label.run_uid][label.key] = label.value
        return [run_of(row, labels[row.uid]) for row in rows]

    def insert_run(self, run: Run) -> None:
        values = vars(run).copy()
        labels = values.pop("labels")
        forked = values.pop("forked_from")
        if forked is not None:
            values |= {f"forked_from_{name}": getattr(forked, field) for name, field in FORKED_FROM.items()}
        self._connection.execute(insert(t.runs), values)
        if labels:
            self._connection.execute(
                insert(t.run_labels),
                [{"run_uid": run.uid, "key": key, "value": value} for key, value in labels.items()],
            )

    def update_run(self, uid: str, **changes: Any) -> None:
        self._connection.execute(update(t.runs).where(t.runs.c.uid == uid).values(**changes))

    def runs(
        self, *, before_uid: str | None, limit: int, labels: Mapping[str, str], state: str | None
    ) -> list[Run]:
        query = select(t.runs).where(t.runs.c.deleted_at.is_(None)).order_by(t.runs.c.uid.desc()).limit(limit)
        if before_uid is not None:
            query = query.where(t.runs.c.uid < before_uid)
        if state is not None:
            query = query.where(t.runs.c.state == state)
        for key, value in labels.items():
            label = t.run_labels.alias()
            query = query.where(
                select(label.c.run_uid)
                .where(label.c.run_uid == t.runs.c.uid, label.c.key == key, label.c.value == value)
                .exists()
            )
        return self._runs(query)

    def followers(self, schedule_uid: str) -> list[Run]:
        where = (t.runs.c.schedule_uid == schedule_uid, t.runs.c.state == "active")
        return self._runs(select(t.runs).where(*where).order_by(t.runs.c.uid))

    # branches

    def branch(self, run_uid: str, branch: int) -> Branch | None:
        return self._branch(_of(t.branches, run_uid, branch=branch))

    def branch_by_request(self, run_uid: str, request_id: str) -> Branch | None:
        return self._branch(_of(t.branches, run_uid, request_id=request_id))

    def fork_by_request(self, run_uid: str, request_id: str) -> Branch | None:
        of_forks = t.branches.c.run_uid.in_(select(t.runs.c.uid).where(t.runs.c.forked_from_uid == run_uid))
        return self._branch(of_forks & (t.branches.c.branch == 1) & (t.branches.c.request_id == request_id))

    def _branch(self, which: Any) -> Branch | None:
        row = self._one(select(t.branches).where(which))
        if row is None:
            return None
        groups = select(t.param_groups).where(_of(t.param_groups, row.run_uid, branch=row.branch))
        return branch_of(
            row,
            self._connection.execute(groups.order_by(t.param_groups.c.place, t.param_groups.c.track)).all(),
        )

    def insert_branch(self, branch: Branch) -> None:
        origin = branch.origin
        self._connection.execute(
            insert(t.branches),
            {
                "run_uid": branch.run_uid,
                "branch": branch.branch,
                "parent": branch.parent,
                "fork_step": branch.fork_step,
                "definition": origin.definition,
                "schedule_uid": origin.schedule_uid,
                "schedule_revision": origin.schedule_revision,
                "revision": branch.revision,
                "origin_step": origin.step,
                "origin_values": origin.values.data,
                "origin_cursor": origin.cursor,
                "created_at": branch.created_at,
                "parameters": numbers_text(origin.parameters),
                "author": branch.author or None,
                "reason": branch.reason or None,
                "request_id": branch.request_id,
                "digest": branch.digest,
                "fence": branch.fence,
            },
        )
        self._connection.execute(
            insert(t.param_groups),
            [
                {
                    "run_uid": branch.run_uid,
                    "branch": branch.branch,
                    "place": place,
                    "track": track,
                    "name": group.name,
                    "number": group.number,
                    "initial": initial,
                    "current": group.current[track],
                }
                for place, group in enumerate(branch.groups)
                for track, initial in group.initial.items()
            ],
        )

    # incarnations

    def incarnation(self, run_uid: str, incarnation: str) -> Incarnation | None:
        return self._incarnation(t.incarnations.c.incarnation == incarnation, run_uid)

    def holder(self, run_uid: str, fence: int) -> Incarnation | None:
        return self._incarnation(t.incarnations.c.fence == fence, run_uid)

    def _incarnation(self, which: Any, run_uid: str) -> Incarnation | None:
        row = self._one(select(t.incarnations).where(t.incarnations.c.run_uid == run_uid, which))
        return None if row is None else Incarnation(**{**row._mapping, "labels": json.loads(row.labels)})

    def first_holder(self, run_uid: str, branch: int) -> Incarnation | None:
        c = t.incarnations.c
        first = select(func.min(c.fence)).where(c.run_uid == run_uid, c.branch == branch)
        return self._incarnation(c.fence == first.scalar_subquery(), run_uid)

    def highest_attempt(self, run_uid: str) -> int | None:
        query = select(func.max(t.incarnations.c.attempt)).where(t.incarnations.c.run_uid == run_uid)
        highest: int | None = self._connection.execute(query).scalar()
        return highest

    def insert_incarnation(self, incarnation: Incarnation) -> None:
        values = {**vars(incarnation), "labels": json.dumps(dict(incarnation.labels), sort_keys=True)}
        self._connection.execute(insert(t.incarnations), values)

    def fence_incarnation(self, run_uid: str, incarnation: str, fence: int) -> None:
        where = (t.incarnations.c.run_uid == run_uid, t.incarnations.c.incarnation == incarnation)
        self._connection.execute(update(t.incarnations).where(*where).values(fence=fence))

    def move_incarnation(self, run_uid: str, incarnation: str, resume_step: int) -> None:
        where = (t.incarnations.c.run_uid == run_uid, t.incarnations.c.incarnation == incarnation)
        self._connection.execute(update(t.incarnations).where(*where).values(resume_step=resume_step))

    # edits

    def edits(self, run_uid: str, branch: int | None = None) -> list[Edit]:
        which = {} if branch is None else {"branch": branch}
        query = select(t.edits).where(_of(t.edits, run_uid, **which)).order_by(t.edits.c.revision)
        return [edit_of(row) for row in self._connection.execute(query)]

    def edit_by_request(self, run_uid: str, request_id: str) -> Edit | None:
        row = self._one(select(t.edits).where(_of(t.edits, run_uid, request_id=request_id)))
        return None if row is None else edit_of(row)

    def insert_edit(self, edit: Edit) -> None:
        values = {column.name: getattr(edit, column.name) for column in t.edits.c}
        values["parameters"] = numbers_text(edit.parameters)
        self._connection.execute(insert(t.edits), values)

    # blocks

    def blocks(
        self, run_uid: str, branch: int, from_step: int, limit: int, *, end: int | None = None
    ) -> list[Block]:
        c = t.blocks.c
        of = _of(t.blocks, run_uid, branch=branch)
        first = select(func.max(c.first_step)).where(of, c.first_step <= from_step).scalar_subquery()
        query = (
            select(t.blocks)
            .where(of, c.first_step >= func.coalesce(first, 0), c.first_step + c.count > from_step)
            .order_by(c.first_step)
            .limit(limit)
        )
        if end is not None:
            query = query.where(c.first_step < end)
        # All of them first: a query left unfinished by a damaged block keeps its snapshot, and SQLite
        # lets no connection write from a snapshot that another has written past.
        return [block_of(row) for row in self._connection.execute(query).all()]

    def insert_blocks(self, blocks: tuple[Block, ...]) -> None:
        if blocks:
            self._connection.execute(insert(t.blocks), [block_values(block) for block in blocks])

    # ranks

    def rank_progress(self, run_uid: str, fence: int, *, lock: bool = False) -> RankProgress | None:
        found = select(t.rank_progress).where(_of(t.rank_progress, run_uid, fence=fence))
        row = self._one(found.with_for_update() if lock else found)
        if row is None:
            return None
        ranks = {rank: Heard(*heard) for rank, *heard in json.loads(row.data)}
        return RankProgress(run_uid, fence, ranks, row.updated_at)

    def put_rank_progress(self, progress: RankProgress) -> None:
        ranks = [
            [rank, heard.applied_step, heard.at, heard.every]
            for rank, heard in sorted(progress.ranks.items())
        ]
        values = {
            "run_uid": progress.run_uid,
            "fence": progress.fence,
            "data": json.dumps(ranks, separators=(",", ":")),
            "updated_at": progress.updated_at,
        }
        self._upsert(t.rank_progress, values, ("data", "updated_at"))

    def drop_rank_progress(self, run_uid: str, *, below: int) -> None:
        c = t.rank_progress.c
        self._connection.execute(delete(t.rank_progress).where(c.run_uid == run_uid, c.fence < below))

    def deviations(
        self, run_uid: str, *, branch: int | None = None, step: int | None = None, limit: int
    ) -> list[Deviation]:
        c = t.deviations.c
        query = select(t.deviations).where(c.run_uid == run_uid)
        if branch is not None:
            query = query.where(c.branch == branch)
        if step is not None:
            query = query.where(c.first_step <= step, c.first_step + c["count"] > step)
        order = (c.created_at.desc(), c.branch.desc(), c.fence.desc(), c.first_step.desc(), c.rank)
        rows = self._connection.execute(query.order_by(*order).limit(limit)).all()
        return [deviation_of(row) for row in rows]

    def insert_deviation(self, deviation: Deviation) -> None:
        values = {
            "run_uid": deviation.run_uid,
            "branch": deviation.branch,
            "fence": deviation.fence,
            "rank": deviation.rank,
            **table_values(deviation.table),
            "kind": deviation.kind,
            "created_at": deviation.created_at,
        }
        what = ("count", "tracks", "groups", "data", "crc", "kind", "created_at")
        self._upsert(t.deviations, values, what, if_more="count")

    def lost_edits(self, run_uid: str) -> list[LostEdit]:
        c = t.lost_edits.c
        query = select(t.lost_edits).where(c.run_uid == run_uid).order_by(c.revision, c.request_id)
        return [LostEdit(**row._mapping) for row in self._connection.execute(query)]

    def insert_lost_edit(self, edit: LostEdit) -> None:
        values = {column.name: getattr(edit, column.name) for column in t.lost_edits.c}
        self._upsert(t.lost_edits, values, ())

    # schedules

    def schedule(self, name: str, revision: int | None = None) -> ScheduleRevision | None:
        query = _HEADS if revision is None else _SCHEDULES.where(t.schedule_revisions.c.revision == revision)
        query = query.where(t.schedules.c.name == name, t.schedules.c.deleted_at.is_(None))
        return self._schedule(query.with_for_update(of=t.schedules))

    def schedule_by_request(self, uid: str, request_id: str) -> ScheduleRevision | None:
        c = t.schedule_revisions.c
        return self._schedule(_SCHEDULES.where(c.schedule_uid == uid, c.request_id == request_id))

    def schedule_names(self, uids: set[str]) -> Mapping[str, str]:
        if not uids:
            return {}
        query = select(t.schedules.c.uid, t.schedules.c.name).where(t.schedules.c.uid.in_(uids))
        return {row.uid: row.name for row in self._connection.execute(query)}

    def _schedule(self, query: Select[Any]) -> ScheduleRevision | None:
        row = self._one(query)
        return None if row is None else ScheduleRevision(**row._mapping)

    def schedules(self, *, after_name: str, limit: int) -> list[ScheduleRevision]:
        c = t.schedules.c
        query = _HEADS.where(c.deleted_at.is_(None), c.name > after_name).order_by(c.name).limit(limit)
        return [ScheduleRevision(**row._mapping) for row in self._connection.execute(query)]

    def unfinished_rollouts(self) -> list[ScheduleRevision]:
        query = _HEADS.where(t.schedules.c.deleted_at.is_(None), t.schedule_revisions.c.rolled_out.is_(False))
        return [ScheduleRevision(**row._mapping) for row in self._connection.execute(query)]

    def insert_schedule(self, revision: ScheduleRevision) -> None:
        self._connection.execute(
            insert(t.schedules),
            {
                "uid": revision.uid,
                "name": revision.name,
                "head_revision": revision.revision,
                "created_at": revision.created_at,
            },
        )
        self._connection.execute(insert(t.schedule_revisions), revision_values(revision))

    def insert_schedule_revision(self, revision: ScheduleRevision) -> None:
        self._connection.execute(insert(t.schedule_revisions), revision_values(revision))
        self._connection.execute(
            update(t.schedules)
            .where(t.schedules.c.uid == revision.uid)
            .values(head_revision=revision.revision)
        )

    def mark_rolled_out(self, uid: str, revision: int) -> None:
        c = t.schedule_revisions.c
        where = (c.schedule_uid == uid, c.revision <= revision)
        self._connection.execute(update(t.schedule_revisions).where(*where).values(rolled_out=True))

    def delete_schedule(self, uid: str, now: int) -> None:
        self._connection.execute(update(t.schedules).where(t.schedules.c.uid == uid).values(deleted_at=now))

    def _upsert(
        self, table: SqlTable, values: dict[str, Any], changed: tuple[str, ...], *, if_more: str | None = None
    ) -> None:
        """Store a row; where its key is stored already change columns, none or only if one of them grows."""
        make = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        query = make(table).values(values)
        if not changed:
            self._connection.execute(query.on_conflict_do_nothing())
            return
        key = [column.name for column in table.primary_key]
        where = None if if_more is None else query.excluded[if_more] > table.c[if_more]
        to = {name: query.excluded[name] for name in changed}
        self._connection.execute(query.on_conflict_do_update(index_elements=key, set_=to, where=where))

    def _one(self, query: Select[Any]) -> Row[Any] | None:
        return self._connection.execute(query).one_or_none()


def _of(table: Any, run_uid: str, **which: Any) -> Any:
    condition = table.c.run_uid == run_uid
    for name, value in which.items():
        condition &= table.c[name] == value
    return condition
