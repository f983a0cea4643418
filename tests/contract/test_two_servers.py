"""Use cases of two servers on one database: what one has in memory may be behind what the other has done."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from uuid import uuid4

import pytest

from lrkeeper.errors import InvalidArgument, RankDiffers, RunFenced, StorageUnavailable
from lrkeeper.schedules import Expression, StepLR, codec
from lrkeeper.schedules.given import Given
from lrkeeper.server.runs.acquire import Checkpoint, Start
from lrkeeper.server.runs.records import ParamGroup
from lrkeeper.server.storage.sql import SqlStorage
from lrkeeper.server.usecases import edit_run as editing
from lrkeeper.server.usecases.acquire_run import Acquired, acquire_run
from lrkeeper.server.usecases.committed import Answer, Steps
from lrkeeper.server.usecases.keeper import Keeper
from lrkeeper.server.usecases.leave_plan import leave_plan
from lrkeeper.server.usecases.next_lr import next_lr

HOUR_US = 3_600_000_000

START = Start(
    run="run",
    incarnation="first",
    attempt=None,
    rank=0,
    world_size=1,
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


class Late(Keeper):
    """A server whose clock is an hour ahead: whoever was heard of is silent to it."""

    def now(self) -> int:
        return super().now() + HOUR_US


def take(keeper: Keeper, **changes: object) -> Awaitable[Acquired]:
    return acquire_run(keeper, replace(START, **changes), None, None)  # type: ignore[arg-type]


def ask(keeper: Keeper, place: Acquired, step: int, count: int = 4, **changes: object) -> Awaitable[Answer]:
    steps = Steps(
        run_uid=place.run.uid,
        store_epoch=keeper.storage.epoch,
        fence=place.fence,
        branch=place.branch,
        rank=0,
        from_step=step,
        count=count,
        applied_step=step - 1,
        revision=0,
    )
    steps = steps._replace(**changes)  # type: ignore[arg-type]  # no text is changed
    return next_lr(keeper, steps, lambda answer: answer)


def test_the_holder_of_a_branch_that_another_server_began_is_not_fenced(storage: SqlStorage) -> None:
    async def main() -> tuple[Answer, RunFenced | None]:
        ours, theirs = Keeper(storage), Late(storage)
        old = await take(ours)
        await ask(ours, old, 1)
        new = await take(theirs, incarnation="second", on_existing="new_branch")
        answer = await ask(ours, new, 1)
        try:
            await ask(ours, old, 5)
        except RunFenced as error:
            return answer, error
        return answer, None

    answer, fenced = asyncio.run(main())
    assert answer.block is not None
    assert (answer.block.branch, answer.block.fence, answer.frontier) == (2, 2, 5)
    assert fenced is not None
    assert "second" in str(fenced)


def test_an_edit_beside_a_new_branch_does_not_act_with_the_old_ones_values(
    storage: SqlStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> Answer:
        before, keeper = Keeper(storage), Late(storage)
        await ask(before, await take(before), 1)
        place: list[Acquired] = []

        async def seek(*arguments: object) -> object:
            found = await real(*arguments)  # type: ignore[arg-type]
            groups = tuple(ParamGroup(None, "float64", {"lr": 7.0}, {"lr": 7.0}) for _ in range(2))
            place.append(await take(keeper, incarnation="second", on_existing="new_branch", groups=groups))
            return found

        real = editing.seek  # type: ignore[attr-defined]  # where it is used
        monkeypatch.setattr(editing, "seek", seek)
        change = editing.Change(
            "run", str(uuid4()), codec.to_json(StepLR(1, 0.5)), None, None, None, "somebody", "some reason"
        )
        with pytest.raises(StorageUnavailable, match="has just changed"):
            await editing.edit_run(keeper, change)
        return await ask(keeper, place[0], 1, 8)

    answer = asyncio.run(main())
    assert answer.table is not None
    assert answer.table.row(8)["lr"] == (7.0, 7.0)


def test_a_branch_with_more_groups_that_was_made_through_another_server_is_gone_on(
    storage: SqlStorage,
) -> None:
    async def main() -> Answer:
        ours, theirs = Keeper(storage), Keeper(storage)
        one = await take(ours, world_size=2)
        await take(theirs, world_size=2, rank=1)
        await ask(ours, one, 1, 5)
        await ask(theirs, one, 1, 5, rank=1)
        groups = (*START.groups, ParamGroup(None, "float64", {"lr": 0.5}, {"lr": 0.5}))
        grown = replace(
            START,
            world_size=2,
            groups=groups,
            checkpoint=Checkpoint(one.run.uid, one.branch, 5),
            adds_groups=True,
        )
        new = await leave_plan(ours, grown)
        await leave_plan(ours, replace(grown, rank=1))
        await ask(ours, new, 6, 5)
        await ask(theirs, new, 6, 5, rank=1)
        return await ask(theirs, new, 7, 5, rank=1)

    answer = asyncio.run(main())
    assert answer.table is not None
    assert answer.table.row(7)["lr"] == (0.1, 0.5)


def test_a_step_that_is_given_something_is_the_next_one_also_where_another_server_made_the_one_before(
    storage: SqlStorage,
) -> None:
    async def main() -> Answer:
        ours, theirs = Keeper(storage), Keeper(storage)
        definition = codec.to_json(Expression("1 + tokens"))
        place = await take(ours, definition=definition)
        for step, keeper in enumerate((ours, theirs, theirs, ours), start=1):
            tokens = Given(progress={"tokens": 10.0 * step})
            answer = await ask(keeper, place, step, 1, given=tokens)
        return answer

    answer = asyncio.run(main())
    assert answer.table is not None
    assert answer.table.row(4)["lr"] == (41.0,)


def test_a_rank_that_asks_here_while_another_server_hears_all_of_them_is_answered(
    storage: SqlStorage,
) -> None:
    async def main() -> Answer:
        seconds = 1_800_000_000
        ours, theirs = (Keeper(storage, lambda: seconds * 10**9) for _ in range(2))
        place = await take(ours, world_size=2)
        await take(ours, world_size=2, rank=1)
        await ask(ours, place, 1, 1, rank=1)
        await ask(ours, place, 1)
        await ask(ours, place, 5)
        seconds += 2

        async def read(*arguments: object) -> None:
            await ours.close()
            for rank in (0, 1):
                await ask(theirs, place, 1, 1, rank=rank)
            await theirs.close()
            await Keeper.read_ranks(ours, *arguments)  # type: ignore[arg-type]

        ours.read_ranks = read  # type: ignore[method-assign, assignment]
        return await ask(ours, place, 9, 4)

    assert asyncio.run(main()).frontier == 13


def test_what_a_rank_said_is_not_taken_for_another_servers_word_while_it_is_stored(
    storage: SqlStorage,
) -> None:
    async def main() -> int | None:
        keeper = Keeper(storage)
        place = await take(keeper, world_size=2)
        lane = keeper.lane(place.run.uid)
        head = await keeper.head(place.run.uid, lane)
        keeper.hear(lane, head, 0, 1, keeper.now())
        await keeper.close()
        keeper.hear(lane, head, 0, 2, keeper.now())
        reading = asyncio.create_task(keeper.read_ranks(head, lane))
        await asyncio.sleep(0)
        await asyncio.gather(reading, keeper.close())
        return lane.ranks.lowest(keeper.now())

    assert asyncio.run(main()) == 2


def test_a_rank_of_no_such_world_holds_nothing_back(storage: SqlStorage) -> None:
    async def main() -> Answer:
        keeper = Keeper(storage)
        place = await take(keeper)
        await ask(keeper, place, 1)
        with pytest.raises(InvalidArgument, match="rank is 999"):
            await ask(keeper, place, 1, 1, rank=999)
        await ask(keeper, place, 5)
        return await ask(keeper, place, 9)

    assert asyncio.run(main()).frontier == 13


def test_ranks_of_one_start_live_in_one_world(storage: SqlStorage) -> None:
    async def main() -> None:
        keeper = Keeper(storage)
        await take(keeper, world_size=2)
        await take(keeper, world_size=2, rank=1)
        with pytest.raises(RankDiffers, match=r"world size is 4, and the first rank .* that it is 2"):
            await take(keeper, world_size=4, rank=3)

    asyncio.run(main())


class Told(Keeper):
    """A server that is told the time."""

    def __init__(self, storage: SqlStorage, now: int) -> None:
        self.time = now
        super().__init__(storage)

    def now(self) -> int:
        return self.time


SECOND = 1_000_000


def test_a_slow_rank_holds_back_those_that_talk_to_another_server(storage: SqlStorage) -> None:
    async def main() -> tuple[list[int], int]:
        ours, theirs = Told(storage, 0), Told(storage, 0)
        place = await take(ours, world_size=2)
        await take(theirs, world_size=2, rank=1)
        await ask(theirs, place, 1, 5, rank=1)
        await theirs.close()  # what it heard is stored
        ours.time = 10 * SECOND
        found = [(await ask(ours, place, step, 5)).frontier for step in range(1, 40, 5)]
        theirs.time = 20 * SECOND
        await ask(theirs, place, 11, 5, rank=1)
        await theirs.close()
        ours.time = 25 * SECOND
        return found, (await ask(ours, place, 36, 5)).frontier

    before, after = asyncio.run(main())
    assert before == [6, 11, 11, 11, 11, 11, 11, 11]
    assert after == 16 + 5


def test_a_rank_that_another_server_has_just_heard_holds_nothing_back(storage: SqlStorage) -> None:
    """Where it is by now is not stored yet: ranks of quick single steps would wait a second for each."""

    async def main() -> list[int]:
        ours, theirs = Told(storage, 0), Told(storage, 0)
        place = await take(ours, world_size=2)
        await take(theirs, world_size=2, rank=1)
        await ask(theirs, place, 1, 1, rank=1)
        await theirs.close()
        ours.time = SECOND
        return [(await ask(ours, place, step, 1)).frontier for step in range(1, 9)]

    assert asyncio.run(main()) == list(range(2, 10))


def test_a_server_started_anew_knows_the_slow_rank_and_does_not_hold_its_own_silence_against_it(
    storage: SqlStorage,
) -> None:
    async def main() -> list[int]:
        first = Told(storage, 0)
        place = await take(first, world_size=3)
        await take(first, world_size=3, rank=1)
        await ask(first, place, 1, 5, rank=1)
        await ask(first, place, 6, 5)
        await first.close()
        second = Told(storage, HOUR_US)
        held = (await ask(second, place, 11, 5)).frontier
        second.time += 59 * SECOND
        still = (await ask(second, place, 11, 5)).frontier
        second.time += SECOND
        return [held, still, (await ask(second, place, 11, 5)).frontier]

    assert asyncio.run(main()) == [11, 11, 16]


def test_where_ranks_are_is_dropped_with_their_start(storage: SqlStorage) -> None:
    async def main() -> list[object]:
        keeper = Keeper(storage)
        old = await take(keeper, world_size=2)
        made = await storage.transact(lambda tx: tx.rank_progress(old.run.uid, 1))
        assert made is not None  # so that two servers can lock it
        await ask(keeper, old, 1)
        await keeper.close()
        before = await storage.transact(lambda tx: tx.rank_progress(old.run.uid, 1))
        new = await take(keeper, world_size=2, incarnation="second", on_existing="takeover")
        dropped = await storage.transact(lambda tx: tx.rank_progress(old.run.uid, 1))
        await ask(keeper, new, 5)
        await keeper.close()
        after = await storage.transact(lambda tx: tx.rank_progress(old.run.uid, 2))
        assert before is not None
        assert after is not None
        return [before.ranks.keys(), dropped, {rank: word.applied_step for rank, word in after.ranks.items()}]

    assert asyncio.run(main()) == [{0}, None, {0: 4}]


def test_two_servers_keep_what_the_other_has_stored_of_ranks(storage: SqlStorage) -> None:
    async def main() -> dict[int, int]:
        ours, theirs = Keeper(storage), Keeper(storage)
        place = await take(ours, world_size=3)
        await ask(ours, place, 1, 9)
        await ask(theirs, place, 1, 3, rank=1)
        await asyncio.gather(ours.close(), theirs.close())
        await ask(ours, place, 7, 1, rank=2)
        await ask(theirs, place, 2, 3, rank=1)
        await asyncio.gather(ours.close(), theirs.close())
        progress = await storage.transact(lambda tx: tx.rank_progress(place.run.uid, 1))
        assert progress is not None
        return {rank: word.applied_step for rank, word in progress.ranks.items()}

    assert asyncio.run(main()) == {0: 0, 1: 1, 2: 6}


def test_the_progress_of_a_single_rank_costs_no_write(storage: SqlStorage) -> None:
    async def main() -> object:
        keeper = Keeper(storage)
        place = await take(keeper)
        await ask(keeper, place, 1)
        await keeper.close()
        return await storage.transact(lambda tx: tx.rank_progress(place.run.uid, 1))

    assert asyncio.run(main()) is None
