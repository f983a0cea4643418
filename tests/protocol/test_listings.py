"""ListRuns and ListBlocks: everything once, in order, page by page."""

from __future__ import annotations

import pytest

from lrkeeper import Client
from lrkeeper.errors import BranchNotFound
from lrkeeper.v1.run_service_pb2 import ListBlocksRequest, ListRunsRequest
from tests.protocol import jobs
from tests.protocol.wire import Wire
from tests.support.server import ServerProcess


def test_runs_are_listed_the_newest_first(own_server: ServerProcess) -> None:
    with Client(own_server.address) as client:
        assert list(client.list_runs()) == []
        names = [jobs.begun(client).run for _ in range(13)][::-1]
        for size in (0, 1, 4, 12, 13, 14, 1000):
            assert [run.name for run in client.list_runs(page_size=size)] == names


def test_a_listed_run_is_the_run_without_its_edits_and_ranks(client: Client) -> None:
    team = jobs.new_name("team")
    place = jobs.stepped(client, jobs.begun(client, labels={"team": team}), 7)
    client.edit_run(place.run, jobs.SLOW, expected_revision=1, reason="slower")
    (listed,) = client.list_runs(labels={"team": team})
    shown = client.get_run(place.run)
    assert (listed.edits, listed.ranks) == ((), ())
    assert (len(shown.edits), len(shown.ranks)) == (1, 1)
    left_out: dict[str, object] = {"edits": (), "ranks": ()}
    assert vars(listed) == vars(shown) | left_out


def test_runs_are_filtered_by_labels_and_state(client: Client) -> None:
    batch = jobs.new_name("batch")
    labels = [{"size": "10", "seed": "1"}, {"size": "10", "seed": "2"}, {"size": "20", "seed": "1"}, {}]
    runs = [jobs.begun(client, labels={"batch": batch, **more}).run for more in labels]
    client.finish_run(runs[0])
    client.delete_run(jobs.begun(client, labels={"batch": batch, "size": "10"}).run, force=True)

    def found(state: str | None = None, **wanted: str) -> list[str]:
        return [
            run.name
            for run in client.list_runs(labels={"batch": batch, **wanted}, state=state, page_size=1)  # type: ignore[arg-type]
        ]

    assert found() == runs[::-1]
    assert found(size="10") == [runs[1], runs[0]]
    assert found(size="10", seed="1") == [runs[0]]
    assert found(size="20") == [runs[2]]
    assert found(size="30") == []
    assert found(state="finished") == [runs[0]]
    assert found(state="active") == runs[:0:-1]
    assert found(state="active", size="10") == [runs[1]]


def test_a_listing_goes_on_from_its_place_whatever_came_in_between(client: Client) -> None:
    batch = jobs.new_name("batch")
    runs = [jobs.begun(client, labels={"batch": batch}).run for _ in range(7)]
    listing = client.list_runs(labels={"batch": batch}, page_size=2)
    seen = [next(listing).name for _ in range(2)]
    jobs.begun(client, labels={"batch": batch})
    client.delete_run(runs[6], force=True)  # seen, and where the listing stands
    client.delete_run(runs[5], force=True)
    client.delete_run(runs[2], force=True)
    seen += [run.name for run in listing]
    assert seen == [runs[6], runs[5], runs[4], runs[3], runs[1], runs[0]]


def test_only_the_last_page_has_no_token(client: Client, wire: Wire) -> None:
    batch = jobs.new_name("batch")
    for _ in range(6):
        jobs.begun(client, labels={"batch": batch})
    request = ListRunsRequest(page_size=3, labels={"batch": batch})
    first = wire.runs.ListRuns(request)
    assert (len(first.runs), bool(first.next_page_token)) == (3, True)
    request.page_token = first.next_page_token
    last = wire.runs.ListRuns(request)
    assert (len(last.runs), last.next_page_token) == (3, "")


@pytest.mark.parametrize("size", [0, 1, 2, 7, 12, 13, 1000])
def test_blocks_are_listed_in_order(client: Client, size: int) -> None:
    place = jobs.begun(client, schedule=jobs.SLOW)
    for count in range(1, 13):
        jobs.ask(client, place, 1 + count * (count - 1) // 2, count)
    blocks = list(client.list_blocks(place.run, page_size=size))
    assert [block.table.count for block in blocks] == list(range(1, 13))
    assert [bits for b in blocks for bits in jobs.bits(b.table)] == jobs.read(client, place, 1, 79)
    assert {(b.branch, b.revision, b.fence, b.evaluator_version) for b in blocks} == {(1, 1, 1, "1")}


@pytest.mark.parametrize(
    ("from_step", "firsts"), [(0, [1, 6, 11]), (1, [1, 6, 11]), (5, [1, 6, 11]), (6, [6, 11])]
)
def test_blocks_are_listed_from_the_one_that_holds_a_step(
    client: Client, from_step: int, firsts: list[int]
) -> None:
    place = jobs.begun(client)
    for first in (1, 6, 11):
        jobs.ask(client, place, first, 5)
    for size in (0, 1, 2):
        blocks = client.list_blocks(place.run, from_step=from_step, page_size=size)
        assert [b.table.first_step for b in blocks] == firsts
    assert list(client.list_blocks(place.run, from_step=16)) == []
    assert list(client.list_blocks(place.run, from_step=2**52)) == []


def test_a_run_that_has_not_stepped_has_no_blocks(client: Client) -> None:
    place = jobs.begun(client)
    assert list(client.list_blocks(place.run)) == []
    with pytest.raises(BranchNotFound):
        list(client.list_blocks(place.run, branch=2))


def test_a_listing_of_blocks_stays_on_its_branch(client: Client, wire: Wire) -> None:
    """The run leaves its branch between two pages."""
    place = jobs.begun(client)
    for step in range(1, 7):
        jobs.ask(client, place, step)
    request = ListBlocksRequest(run=place.run, page_size=4)
    first = wire.runs.ListBlocks(request)
    client.finish_run(place.run)
    new = client.acquire_run(jobs.a_start(place.run, on_existing="new_branch"))
    jobs.stepped(client, new, 9)
    request.page_token = first.next_page_token
    last = wire.runs.ListBlocks(request)
    assert [(b.branch, b.values.first_step) for b in (*first.blocks, *last.blocks)] == [
        (1, step) for step in range(1, 7)
    ]
