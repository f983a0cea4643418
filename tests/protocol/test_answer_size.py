"""However much there is, an answer with values stays below 1 MiB, and others within what gRPC takes."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import ServerError
from lrkeeper.v1.run_service_pb2 import NextLrRequest, NextLrResponse
from lrkeeper.views import Group, Place
from tests.protocol import jobs
from tests.protocol.wire import Wire

MOST = 1 << 20


def distinct(count: int) -> tuple[Group, ...]:
    """Return groups whose values differ, so that none is sent for another."""
    return tuple(jobs.a_group(0.1 + i / 1024) for i in range(count))


def asked(wire: Wire, place: Place, step: int) -> NextLrResponse:
    return wire.runs.NextLr(
        NextLrRequest(
            run_uid=place.run_uid,
            store_epoch=place.store_epoch,
            fence=place.fence,
            branch=place.branch,
            from_step=step,
            count=10**9,
            applied_step=step - 1,
        )
    )


@pytest.mark.parametrize(("groups", "most"), [(1, 4096), (100, 1263), (300, 417), (1000, 120), (10_000, 6)])
def test_a_count_is_clamped_to_what_an_answer_holds(
    client: Client, wire: Wire, groups: int, most: int
) -> None:
    place = jobs.begun(client, groups=distinct(groups), schedule=jobs.SLOW)
    for first in (1, 1 + most):
        answer = asked(wire, place, first)
        assert answer.frontier == first + most
        assert answer.values.count == most
        assert answer.ByteSize() < MOST
    assert len(list(client.list_blocks(place.run, page_size=1))) == 2


THREE_TRACKS = S.Tracks(
    [S.Track(jobs.SLOW), *(S.Track(jobs.SLOW, name=n) for n in ("momentum", "weight_decay"))]
)
CHAINED = S.ChainedScheduler([S.ExponentialLR(0.999), S.LinearLR(total_iters=10**6), jobs.SLOW])


def one_cycle(groups: int) -> S.Schedule:
    return S.OneCycleLR(max_lr=[1.0 + i / 1024 for i in range(groups)], total_steps=10**6)


@pytest.mark.parametrize("groups", [300])
@pytest.mark.parametrize(
    ("schedule", "tracks"),
    [
        (lambda _: THREE_TRACKS, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}),
        (lambda _: CHAINED, {"lr": 0.1}),
        (one_cycle, {"lr": 0.1, "momentum": 0.9}),
    ],
    ids=["tracks", "chained", "one cycle"],
)
def test_an_answer_with_all_that_comes_with_values_is_below_1_mib(
    client: Client, wire: Wire, schedule: Callable[[int], S.Schedule], tracks: dict[str, float], groups: int
) -> None:
    held = [{track: value + i / 1024 for track, value in tracks.items()} for i in range(groups)]
    rows = tuple(jobs.a_group(initial=row, current=row) for row in held)
    place = jobs.begun(client, groups=rows, schedule=schedule(groups))
    for first in (1, 1 + asked(wire, place, 1).values.count):
        assert MOST // 3 < asked(wire, place, first).ByteSize() < MOST


def test_every_track_of_a_group_counts(client: Client, wire: Wire) -> None:
    names = ("lr", "momentum", "weight_decay")
    values = [{name: 0.1 * place + i / 1024 for place, name in enumerate(names, 1)} for i in range(100)]
    groups = tuple(Group(None, "float64", each, each) for each in values)
    tracks = S.Tracks([S.Track(jobs.SLOW, name) for name in names])
    place = jobs.begun(client, groups=groups, schedule=tracks)
    answer = asked(wire, place, 1)
    assert (answer.values.count, len(answer.values.columns)) == (417, 300)


def test_equal_columns_are_sent_once_and_constant_ones_as_one_value(client: Client, wire: Wire) -> None:
    groups = (*distinct(3), *distinct(3))
    place = jobs.begun(client, groups=groups, schedule=jobs.SLOW)
    answer = asked(wire, place, 1)
    assert [len(column) for column in answer.values.columns] == [8 * 4096] * 3
    assert list(answer.values.index) == [0, 1, 2, 0, 1, 2]
    flat = jobs.begun(client, groups=groups, schedule=S.StepLR(10**6))
    answer = asked(wire, flat, 1)
    assert [len(column) for column in answer.values.columns] == [8] * 3
    assert jobs.read(client, flat, 4000, 4001) == [tuple(g.initial["lr"].hex() for g in groups)]


def test_blocks_of_megabytes_are_listed(client: Client) -> None:
    place = jobs.begun(client, groups=distinct(1000), schedule=jobs.SLOW)
    jobs.stepped(client, place, 5 * 120)
    blocks = list(client.list_blocks(place.run))
    assert [block.table.first_step for block in blocks] == list(range(1, 5 * 120, 120))
    assert all(block.table.count == 120 for block in blocks)


def test_an_old_branch_of_many_groups_is_read_after_one_of_few(client: Client) -> None:
    """How much an answer holds goes by the branch that is asked for."""
    wide = jobs.begun(client, groups=distinct(1000), schedule=jobs.SLOW)
    jobs.stepped(client, wide, 5 * 120)
    client.finish_run(wide.run)
    client.acquire_run(jobs.a_start(wide.run, on_existing="new_branch"))
    window = jobs.ask(client, wide, 1, 10**9)
    assert window.table is not None
    assert (window.table.first_step, window.table.groups) == (1, 1000)


def test_runs_of_long_names_are_listed(client: Client) -> None:
    groups = tuple(jobs.a_group(name="g" * 4096) for _ in range(450))
    batch = jobs.new_name("batch")
    runs = [jobs.begun(client, groups=groups, labels={"batch": batch}).run for _ in range(3)]
    assert sorted(run.name for run in client.list_runs(labels={"batch": batch})) == sorted(runs)


def test_a_run_of_many_explained_edits_is_shown_and_resumed(client: Client) -> None:
    place = jobs.begun(client)
    edits = 180  # of 24 KB each: more than gRPC takes
    words = "\u5b66" * 4096
    for revision in range(1, edits + 1):
        client.edit_run(
            place.run,
            jobs.SLOW,
            expected_revision=revision,
            reason=words,
            author=words,
            request_id=str(uuid4()),
        )
    again = client.acquire_run(jobs.a_start(place.run, checkpoint=jobs.checkpoint_of(place, 0)))
    assert (again.resume_step, again.frontier) == (0, 1)
    assert client.get_run(place.run).revision == edits + 1


@pytest.mark.parametrize("groups", [1, 5, 8, 20])
def test_a_preview_is_answered_or_refused_with_a_reason(client: Client, groups: int) -> None:
    """A hundred thousand steps may be asked for, and ten thousand groups; both are more than is sent."""
    base_lrs = [0.1 + i / 1024 for i in range(groups)]
    try:
        preview = client.preview_schedule(jobs.SLOW, 100_000, base_lrs=base_lrs)
    except ServerError:
        assert groups > 5
    else:
        assert (preview.table.count, preview.table.groups) == (100_000, groups)
