"""Explain: why a step has its values, from the database alone."""

from __future__ import annotations

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import StepOutOfRange
from tests.protocol import jobs
from tests.support.server import ServerProcess


def test_a_step_is_explained_by_definition_edits_and_who_asked(own_server: ServerProcess) -> None:
    with Client(own_server.address) as client:
        first = jobs.begun(client, holder_labels={"host": "node-1"}, world_size=2)
        jobs.stepped(client, first, 4)
        client.edit_run(first.run, jobs.SLOW, expected_revision=1, reason="loss went up", author="ann")
        second = client.acquire_run(
            jobs.a_start(first.run, checkpoint=jobs.checkpoint_of(first, 4), holder_labels={"host": "node-2"})
        )
        jobs.stepped(client, second, 8)
        stored = client.create_schedule(jobs.new_name("schedule"), S.StepLR(9))
        client.edit_run(
            first.run, stored.name, expected_revision=2, reason="as all", author="ben", at_step=12
        )
        jobs.stepped(client, second, 14)
        own_server.kill()
        own_server.start()

        bits = [((0.1).hex(),), *jobs.read(client, second, 1, 15)]
        why = {step: client.explain(first.run, step) for step in range(15)}
        for step, found in why.items():
            assert (found.run, found.branch, found.values.first_step) == (first.run, 1, step)
            assert jobs.bits(found.values) == [bits[step]]
            assert found.origin == (step == 0)
            assert found.evaluator_version == "1"

        early, middle, late = why[3], why[7], why[13]
        assert (early.revision, early.schedule, early.edits, early.fence) == (1, jobs.HALVING, (), 1)
        assert early.holder is not None
        assert (early.holder.incarnation, early.holder.world_size) == (first.incarnation, 2)
        assert early.holder.labels == {"host": "node-1"}

        assert (middle.revision, middle.schedule, middle.fence) == (2, jobs.SLOW, 2)
        assert [(e.author, e.reason, e.effective_step) for e in middle.edits] == [("ann", "loss went up", 5)]
        assert middle.holder is not None
        assert middle.holder.labels == {"host": "node-2"}
        assert middle.schedule_name == ""

        assert (late.revision, late.schedule) == (3, S.StepLR(9))
        assert (late.schedule_name, late.schedule_revision) == (stored.name, 1)
        assert late.edits[-1].author == "ben"

        assert [found.revision for found in why.values()] == [1] * 5 + [2] * 7 + [3] * 3


def test_an_edit_that_never_acted_explains_nothing(client: Client) -> None:
    place = jobs.begun(client)
    for revision, (step, gamma) in enumerate([(30, 0.9), (20, 0.7)], 1):
        client.edit_run(
            place.run, S.StepLR(1, gamma), expected_revision=revision, reason=f"{gamma}", at_step=step
        )
    jobs.ask(client, place, 1, 50)
    found = client.explain(place.run, 40)
    assert (found.revision, found.schedule) == (3, S.StepLR(1, 0.7))
    assert [e.reason for e in found.edits] == ["0.7"]


def test_a_pending_edit_explains_no_step_below_it(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 9)
    client.edit_run(place.run, jobs.SLOW, expected_revision=1, reason="later", at_step=30)
    assert client.explain(place.run, 9).edits == ()
    with pytest.raises(StepOutOfRange) as caught:
        client.explain(place.run, 30)
    assert caught.value.details == {"frontier": "10"}


def test_an_old_branch_is_explained_too(client: Client) -> None:
    old = jobs.stepped(client, jobs.begun(client), 5)
    client.finish_run(old.run)
    new = client.acquire_run(jobs.a_start(old.run, on_existing="new_branch", schedule=jobs.SLOW))
    jobs.stepped(client, new, 2)
    for branch, schedule, revision, place in ((1, jobs.HALVING, 1, old), (2, jobs.SLOW, 2, new)):
        found = client.explain(old.run, 2, branch=branch)
        assert (found.branch, found.schedule, found.revision) == (branch, schedule, revision)
        assert found.holder is not None
        assert found.holder.incarnation == place.incarnation
    assert client.explain(old.run, 2) == client.explain(old.run, 2, branch=2)
    assert client.explain(old.run, 5, branch=1).fence == 1
    with pytest.raises(StepOutOfRange):
        client.explain(old.run, 5)


def test_the_origin_of_a_branch_is_explained_by_the_start_that_made_it(client: Client) -> None:
    old = jobs.begun(client)
    client.finish_run(old.run)
    new = client.acquire_run(jobs.a_start(old.run, on_existing="new_branch"))
    for branch, place in ((1, old), (2, new)):
        found = client.explain(old.run, 0, branch=branch)
        assert found.origin
        assert found.fence == place.fence
        assert found.holder is not None
        assert found.holder.incarnation == place.incarnation


def test_steps_around_an_origin_beyond_0(client: Client) -> None:
    source = jobs.begun(client)
    window = jobs.ask(client, source, 1, 20)
    client.delete_run(source.run, force=True)
    place = jobs.begun(
        client, checkpoint=jobs.checkpoint_of(source, 12), origin=jobs.origin_of(source, window, 12)
    )
    jobs.stepped(client, place, 13)
    assert [client.explain(place.run, step).origin for step in (12, 13)] == [True, False]
    for step in (0, 11, 14):
        with pytest.raises(StepOutOfRange, match=f"step {step} .* from 12 on and below 14"):
            client.explain(place.run, step)


def test_explaining_a_deleted_schedules_revision_still_names_it(client: Client) -> None:
    stored = client.create_schedule(jobs.new_name("schedule"), jobs.SLOW)
    place = jobs.stepped(client, jobs.begun(client, schedule=stored.name), 3)
    client.finish_run(place.run)
    client.delete_schedule(stored.name)
    found = client.explain(place.run, 2)
    assert (found.schedule, found.schedule_name, found.schedule_revision) == (jobs.SLOW, stored.name, 1)
