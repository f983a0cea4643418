"""A server's clock goes back by a year: what comes later is known by its revision, never by its time."""

from __future__ import annotations

import asyncio
from uuid import uuid4

from lrkeeper.schedules import StepLR, codec
from lrkeeper.server.runs.records import Edit
from lrkeeper.server.storage.sql import SqlStorage
from lrkeeper.server.usecases import edit_run as editing
from lrkeeper.server.usecases.keeper import Keeper
from tests.contract.test_two_servers import ask, take

YEAR_US = 365 * 24 * 3_600_000_000


class AYearBack(Keeper):
    """A server whose clock was set back."""

    def now(self) -> int:
        return super().now() - YEAR_US


def test_edits_are_in_the_order_of_their_revisions_whatever_the_clock_said(storage: SqlStorage) -> None:
    def edit(gamma: float, revision: int) -> editing.Change:
        definition = codec.to_json(StepLR(1, gamma))
        return editing.Change("run", str(uuid4()), definition, revision, 4, None, "somebody", "some reason")

    async def main() -> tuple[list[float], list[Edit]]:
        before, after = Keeper(storage), AYearBack(storage)
        place = await take(before)
        await ask(before, place, 1, 2)
        first = await editing.edit_run(before, edit(0.5, 1))
        second = await editing.edit_run(after, edit(0.25, 2))
        assert second.edit.created_at < first.edit.created_at
        found: list[float] = []
        for step in range(3, 7):
            answer = await ask(after, place, step, 1)
            assert answer.table is not None
            found += answer.table.row(step)["lr"]
        return found, await storage.transact(lambda tx: tx.edits(place.run.uid), writes=False)

    found, edits = asyncio.run(main())
    assert found[1:] == [0.1 * 0.25**4, 0.1 * 0.25**5, 0.1 * 0.25**6]
    assert [edit.revision for edit in edits] == [2, 3]


def test_a_start_after_the_clock_went_back_has_the_newer_fence(storage: SqlStorage) -> None:
    async def main() -> tuple[int, int]:
        before, after = Keeper(storage), AYearBack(storage)
        first = await take(before)
        second = await take(after, incarnation="second", on_existing="takeover")
        return first.fence, second.fence

    assert asyncio.run(main()) == (1, 2)
