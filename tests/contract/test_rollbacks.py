"""Rollbacks and forks on every database, through servers of which one has an older state in memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import uuid4

import pytest

from lrkeeper.errors import RunFenced
from lrkeeper.schedules import StepLR, codec
from lrkeeper.server.runs.acquire import Checkpoint
from lrkeeper.server.storage.sql import SqlStorage
from lrkeeper.server.usecases.fork_run import Fork, fork_run
from lrkeeper.server.usecases.keeper import Keeper
from lrkeeper.server.usecases.rollback_run import Rollback, RolledBack, rollback_run
from lrkeeper.server.usecases.runs import get_run
from tests.contract.test_two_servers import ask, take

BACK = Rollback(
    run="run",
    to_step=2,
    request_id=str(uuid4()),
    expected_revision=1,
    keep_edits=False,
    author="op",
    reason="it diverged",
)
FORK = Fork("run", "fork", 2, None, str(uuid4()), False, "op", "to compare", {"try": "2"})


def test_a_server_that_has_the_older_state_fences_the_old_start_and_serves_the_new_one(
    storage: SqlStorage,
) -> None:
    async def main() -> None:
        ours, theirs = Keeper(storage), Keeper(storage)
        old = await take(ours)
        await ask(ours, old, 1)
        back = await rollback_run(theirs, BACK)
        assert (back.run.fence, back.run.branch, back.run.frontier) == (2, 2, 3)
        with pytest.raises(RunFenced, match="taken back to step 2 by op: it diverged"):
            await ask(ours, old, 5)
        new = await take(theirs, incarnation="second", checkpoint=Checkpoint(old.run.uid, 1, 1))
        assert (new.branch, new.fence, new.resume_step) == (2, 3, 1)
        answer = await ask(ours, new, 2)
        assert answer.table is not None
        assert (answer.table.first_step, answer.table.end_step) == (2, 3)  # of the branch before
        answer = await ask(ours, new, 3)
        assert answer.block is not None
        assert (answer.block.branch, answer.block.fence, answer.frontier) == (2, 3, 7)
        with pytest.raises(RunFenced, match="second"):
            await ask(theirs, old, 5)

    asyncio.run(main())


def test_a_start_that_has_just_taken_the_run_through_another_server_is_served(storage: SqlStorage) -> None:
    async def main() -> None:
        ours, theirs = Keeper(storage), Keeper(storage)
        old = await take(ours)
        await ask(ours, old, 1)
        await rollback_run(ours, BACK)
        assert (await get_run(ours, "run")).holder is None
        with pytest.raises(RunFenced):
            await ask(ours, old, 5)  # and has the state without a holder in memory
        new = await take(theirs, incarnation="second")
        assert (await ask(ours, new, 3)).frontier == 7

    asyncio.run(main())


def test_the_same_rollback_from_both_servers_at_once_is_one(storage: SqlStorage) -> None:
    async def main() -> list[RolledBack]:
        servers = [Keeper(storage), Keeper(storage)]
        await ask(servers[0], await take(servers[0]), 1)
        replaced = replace(BACK, definition=codec.to_json(StepLR(1, 0.5)))
        return await asyncio.gather(*(rollback_run(keeper, replaced) for keeper in servers * 3))

    found = asyncio.run(main())
    assert {(b.run.branch, b.run.fence, b.run.revision) for b in found} == {(2, 2, 3)}
    assert len({b.preview()[0].data for b in found}) == 1


def test_a_fork_is_stored_with_all_that_it_takes_along(storage: SqlStorage) -> None:
    async def main() -> None:
        keeper, other = Keeper(storage), Keeper(storage)
        place = await take(keeper, labels={"team": "vision", "try": "1"})
        await ask(keeper, place, 1)
        made = await asyncio.gather(*(fork_run(each, FORK) for each in (keeper, other, keeper)))
        assert len({view.run.uid for view in made}) == 1
        view = await get_run(other, "fork")
        assert view.run == made[0].run
        assert (view.run.fence, view.run.labels) == (0, {"team": "vision", "try": "2"})
        assert view.run.forked_from is not None
        assert (view.run.forked_from.run_uid, view.run.forked_from.step) == (place.run.uid, 2)
        assert (view.branch.author, view.branch.reason) == ("op", "to compare")
        checkpoint = Checkpoint(place.run.uid, 1, 2)
        fork = await take(other, run="fork", incarnation="third", checkpoint=checkpoint)
        assert (fork.run.uid, fork.fence, fork.resume_step) == (view.run.uid, 1, 2)
        assert (await ask(keeper, fork, 3)).frontier == 7

    asyncio.run(main())
