"""Where a start goes on that goes by what the ranks of the one before have said, on every database."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from lrkeeper.errors import ResumeRefused
from lrkeeper.schedules import StepLR, codec
from lrkeeper.server.runs.acquire import Checkpoint, Start
from lrkeeper.server.runs.frontier import Heard
from lrkeeper.server.runs.records import ParamGroup, RankProgress
from lrkeeper.server.runs.resume import OnResume
from lrkeeper.server.storage.sql import SqlStorage
from lrkeeper.server.usecases.acquire_run import Acquired, acquire_run
from lrkeeper.server.usecases.committed import Steps
from lrkeeper.server.usecases.keeper import Keeper
from lrkeeper.server.usecases.next_lr import next_lr

START = Start(
    run="run",
    incarnation="first",
    attempt=None,
    rank=0,
    world_size=2,
    groups=(ParamGroup(None, "float64", {"lr": 0.1}, {"lr": 0.1}),),
    definition=codec.to_json(StepLR(100, 0.5)),
    schedule_uid=None,
    schedule_revision=None,
    checkpoint=None,
    begin_step=0,
    on_existing="resume",
    unit="step",
    labels={},
    holder_labels={},
)


def resumed(storage: SqlStorage, on_resume: OnResume, applied: dict[int, int], step: int = 10) -> Acquired:
    """Return what a start gets on a run with the steps to 40, whose ranks have said what they have applied."""

    async def main() -> Acquired:
        keeper = Keeper(storage)
        place = await acquire_run(keeper, START, None, None)
        await next_lr(
            keeper,
            Steps(
                run_uid=place.run.uid,
                store_epoch=storage.epoch,
                fence=place.fence,
                branch=1,
                rank=0,
                from_step=1,
                count=40,
                applied_step=0,
                revision=1,
            ),
            lambda answer: answer,
        )
        said = RankProgress(place.run.uid, 1, {rank: Heard(at, 1) for rank, at in applied.items()}, 1)
        await storage.transact(lambda tx: tx.put_rank_progress(said))
        again = replace(
            START,
            incarnation="second",
            checkpoint=Checkpoint(place.run.uid, 1, step),
            on_resume=on_resume,
        )
        return await acquire_run(keeper, again, None, None)

    return asyncio.run(main())


def test_a_job_goes_on_at_the_last_step_that_a_rank_has_applied(storage: SqlStorage) -> None:
    place = resumed(storage, "server", {0: 22, 1: 25})
    assert (place.resume_step, place.run.frontier, place.fence) == (25, 41, 2)


def test_it_goes_on_below_the_frontier_whatever_a_rank_has_said(storage: SqlStorage) -> None:
    assert resumed(storage, "server", {0: 1000}).resume_step == 40


def test_a_run_that_a_rank_has_gone_on_with_is_refused(storage: SqlStorage) -> None:
    with pytest.raises(ResumeRefused, match=r"gone on to step 12; .* 'server' to go on from step 12"):
        resumed(storage, "error", {0: 10, 1: 12})


def test_a_run_that_no_rank_has_gone_on_with_is_resumed(storage: SqlStorage) -> None:
    assert resumed(storage, "error", {0: 9, 1: 10}).resume_step == 10
