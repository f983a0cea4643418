"""Param groups that a job adds in training are scheduled from their first step, and again after a resume."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import torch

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.errors import GroupsDiffer, RunFenced
from lrkeeper.views import Start
from tests.client import classes
from tests.client.classes import CLASSES, OPTIMIZERS, TORCH
from tests.client.training import Training
from tests.protocol.jobs import a_group
from tests.support.server import ServerProcess

pytestmark = pytest.mark.filterwarnings("ignore:.*optimizer.step")


def add(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Unfreeze a layer."""
    like = optimizer.param_groups[0]["lr"]
    layer = torch.nn.Linear(2, 2)
    optimizer.add_param_group(
        {"params": layer.parameters(), "lr": torch.tensor(lr) if torch.is_tensor(like) else lr}
    )


def stepped(scheduler: Any, count: int, added: dict[int, float]) -> list[Any]:
    """Step, adding groups where they come; return what each step left, and torch's error if it ends them."""
    found: list[Any] = []
    for epoch in range(count):
        if epoch in added:
            add(scheduler.optimizer, added[epoch])
        try:
            found += classes.run(scheduler, epoch, epoch + 1)
        except Exception as error:  # what torch raises is compared; after it a job ends
            return [*found, (type(error), str(error))]
    return found


@pytest.mark.parametrize("mode", ["on", "off"])
@pytest.mark.parametrize("added", [{0: 0.5}, {3: 0.5}, {2: 0.5, 6: 0.25, 7: 0.125}], ids=["0", "3", "2-6-7"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("name", CLASSES)
def test_a_drop_in_takes_them_as_torch_does(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch, name: str, optimizer: Any, added: Any, mode: str
) -> None:
    monkeypatch.setenv("LRKEEPER_MODE", mode)
    expected = stepped(CLASSES[name](TORCH, optimizer()), 10, added)
    assert stepped(CLASSES[name](lr_scheduler, optimizer()), 10, added) == expected


def test_a_list_of_min_lr_must_grow_with_them(server: ServerProcess) -> None:
    def losses(module: Any, grows: bool) -> list[Any]:
        scheduler = module.ReduceLROnPlateau(
            OPTIMIZERS["SGD, floats"](), patience=1, factor=0.5, min_lr=[1e-5, 1e-4]
        )
        found: list[Any] = []
        for epoch in range(8):
            if epoch == 2:
                add(scheduler.optimizer, 0.5)
                if grows:
                    scheduler.min_lrs.append(0.2)
            try:
                scheduler.step(1.0)
            except RuntimeError as error:
                found.append(str(error))
            found.append(classes.bits(scheduler.optimizer))
        return found

    for grows in (True, False):
        assert losses(lr_scheduler, grows) == losses(TORCH, grows)
    assert any("number of param groups" in each for each in losses(TORCH, False))


DEFINITIONS: dict[str, tuple[S.Schedule, Callable[[torch.optim.Optimizer], Any]]] = {
    "StepLR": (S.StepLR(2, 0.7), lambda o: torch.optim.lr_scheduler.StepLR(o, 2, 0.7)),
    "ExponentialLR": (S.ExponentialLR(0.9), lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9)),
    "CosineAnnealingWarmRestarts": (
        S.CosineAnnealingWarmRestarts(4),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 4),
    ),
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_remote_lr_schedules_them_from_their_own_lr_on(server: ServerProcess, name: str) -> None:
    schedule, build = DEFINITIONS[name]
    training = Training(0.1)
    scheduler = RemoteLR(training.optimizer, schedule)
    training.epochs(scheduler, 4)
    add(training.optimizer, 0.5)
    training.epochs(scheduler, 5)
    # By itself each group has torch's curve: here the one that was there from the start.
    alone = Training(0.1)
    expected = alone.epochs(build(alone.optimizer), 9)
    assert [(row[0],) for row in training.used] == expected
    assert training.used[4][1] == (0.5).hex()  # at the step it came it has what it came with
    if name == "CosineAnnealingWarmRestarts":  # its base lr times the cosine of the step
        assert training.used[8][1] == (0.5).hex()
    else:
        ratio = [float.fromhex(row[1]) / float.fromhex(row[0]) for row in training.used[4:]]
        assert ratio == pytest.approx([ratio[0]] * 5)


def test_numbers_for_each_group_do_not_fit_more_groups(server: ServerProcess) -> None:
    training = Training(0.1, 0.2)
    scheduler = RemoteLR(training.optimizer, S.SWALR([0.01, 0.02], 5))
    training.epochs(scheduler, 2)
    before = scheduler.state_dict()
    add(training.optimizer, 0.5)
    training.update()
    with pytest.raises(Exception, match=r"swa_lr of run .* has 2 numbers, and the optimizer 3"):
        scheduler.step()
    assert scheduler.state_dict() == before


# Resume.


def job(training: Training, run: str, until: int, *, adds: bool = True, scheduler: Any = None) -> Any:
    """Train to an epoch; a group comes at 3 and another at 6."""
    scheduler = scheduler or RemoteLR(training.optimizer, S.ExponentialLR(0.9), run=run)
    while scheduler.last_epoch < until:
        if (
            adds
            and scheduler.last_epoch in (3, 6)
            and len(training.optimizer.param_groups) < 2 + (scheduler.last_epoch == 6)
        ):
            add(training.optimizer, 0.5 + scheduler.last_epoch)
        training.epochs(scheduler, 1)
    return scheduler


@pytest.fixture
def new_start(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make what follows another start of the job."""
    return lambda: monkeypatch.setenv("LRKEEPER_INCARNATION", uuid4().hex)


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("saved_at", [1, 3, 5, 8])
def test_a_job_that_resumes_before_or_after_it_added_them_gets_the_same_bits(
    client: Client, new_start: Callable[[], None], saved_at: int
) -> None:
    run = f"unfreezing-{uuid4().hex}"
    new_start()
    first = Training(0.1)
    scheduler = job(first, run, saved_at)
    saved = scheduler.state_dict()
    groups = len(first.optimizer.param_groups)
    job(first, run, 10, scheduler=scheduler)

    new_start()
    again = Training(0.1)
    for place in range(1, groups):
        add(again.optimizer, 0.5 + 3 * place)
    resumed = RemoteLR(again.optimizer, S.ExponentialLR(0.9), run=run)
    resumed.load_state_dict(saved)
    job(again, run, 14, scheduler=resumed)
    assert again.used[: 10 - saved_at] == first.used[saved_at:]
    assert len(again.used[-1]) == 3

    found = client.get_run(run)
    assert [(b.branch, b.origin_step) for b in found.lineage] == [(1, 0), (2, 3), (3, 6)]
    assert (found.branch, found.frontier, len(found.groups)) == (3, 15, 3)


def test_a_job_that_begins_again_goes_through_the_branches(
    client: Client, new_start: Callable[[], None]
) -> None:
    run = f"unfreezing-{uuid4().hex}"
    new_start()
    first = Training(0.1)
    job(first, run, 9).finish()
    new_start()
    again = Training(0.1)
    scheduler = RemoteLR(again.optimizer, S.ExponentialLR(0.9), run=run, on_existing="takeover")
    job(again, run, 9, scheduler=scheduler)
    assert again.used == first.used
    assert client.get_run(run).branch == 3


@pytest.mark.usefixtures("step_by_step")
def test_a_job_that_does_not_add_them_again_is_told_where(
    client: Client, new_start: Callable[[], None]
) -> None:
    run = f"unfreezing-{uuid4().hex}"
    new_start()
    first = Training(0.1)
    scheduler = job(first, run, 2)
    saved = scheduler.state_dict()
    job(first, run, 5, scheduler=scheduler)
    new_start()
    again = Training(0.1)
    resumed = RemoteLR(again.optimizer, S.ExponentialLR(0.9), run=run)
    resumed.load_state_dict(saved)
    with pytest.raises(GroupsDiffer, match=r"has 2 param groups, and the job goes on with 1 after step 3"):
        job(again, run, 5, adds=False, scheduler=resumed)
    assert again.used[:-1] == first.used[2:3]


def test_a_start_that_lost_the_run_adds_nothing(client: Client, new_start: Callable[[], None]) -> None:
    run = f"unfreezing-{uuid4().hex}"
    new_start()
    first = Training(0.1)
    scheduler = job(first, run, 2)
    client.acquire_run(Start(run, uuid4().hex, (a_group(0.1),), S.ExponentialLR(0.9), on_existing="takeover"))
    add(first.optimizer, 0.5)
    first.update()
    with pytest.raises(RunFenced):
        scheduler.step()
    assert (client.get_run(run).branch, len(client.get_run(run).groups)) == (1, 1)


@pytest.mark.usefixtures("step_by_step")
def test_edits_go_on_to_act_where_they_were_to(client: Client) -> None:
    run = f"unfreezing-{uuid4().hex}"
    training = Training(0.1)
    scheduler = job(training, run, 2)
    first = client.edit_run(run, S.ExponentialLR(0.5), expected_revision=1, reason="faster")
    job(training, run, 3, scheduler=scheduler)
    client.edit_run(
        run, S.ConstantLR(0.5, 100), expected_revision=first.revision, at_step=8, reason="then slow"
    )
    job(training, run, 10, scheduler=scheduler)
    # An edit gives what its definition would have given from the start: 0.1 · 0.5ⁿ, then 0.1 · 0.5.
    lrs = [float.fromhex(row[0]) for row in training.used]
    assert lrs == [0.1, 0.1 * 0.9, 0.1 * 0.9 * 0.9, *(0.1 * 0.5**n for n in (3, 4, 5, 6, 7)), 0.05, 0.05]
    added = [[float.fromhex(lr) for lr in row[1:]] for row in training.used[3:]]
    assert added[0] == [3.5]
    assert added[1] == [1.75]
    assert added[-1] == [1.75, 3.25]
    found = client.get_run(run)
    assert [(e.effective_step, e.reason) for e in found.edits if e.branch == found.branch] == [
        (6, "faster"),
        (8, "then slow"),
    ]
    assert client.explain(run, 7).edits[-1].reason == "faster"
    assert client.explain(run, 2).branch == 1
    assert client.explain(run, 2).values.row(2)["lr"] == (lrs[2],)


def test_a_change_by_other_code_and_a_group_come_together(server: ServerProcess) -> None:
    def both(module: Any) -> list[Any]:
        scheduler = module.ExponentialLR(OPTIMIZERS["SGD, floats"](), 0.9)
        found = classes.run(scheduler, 0, 3)
        scheduler.optimizer.step()
        scheduler.optimizer.param_groups[1]["lr"] = 0.75
        add(scheduler.optimizer, 0.5)
        scheduler.step()
        return [*found, classes.bits(scheduler.optimizer), *classes.run(scheduler, 4, 7)]

    assert both(lr_scheduler) == both(TORCH)


def test_a_named_group_is_known_by_its_name(client: Client) -> None:
    run = f"unfreezing-{uuid4().hex}"
    training = Training(0.1)
    scheduler = job(training, run, 2)
    training.optimizer.add_param_group(
        {"params": torch.nn.Linear(2, 2).parameters(), "lr": 0.5, "name": "head"}
    )
    job(training, run, 4, scheduler=scheduler, adds=False)
    assert [group.name for group in client.get_run(run).groups] == [None, "head"]


def exponential(training: Training, run: str, **options: Any) -> RemoteLR:
    """Return a scheduler of a run."""
    return RemoteLR(training.optimizer, S.ExponentialLR(0.9), run=run, **options)


def resumed(training: Training, run: str, saved: dict[str, Any], **options: Any) -> RemoteLR:
    """Return one that goes on from a checkpoint."""
    scheduler = exponential(training, run, **options)
    scheduler.load_state_dict(saved)
    return scheduler


@pytest.mark.usefixtures("step_by_step")
def test_a_job_is_told_at_the_step_also_where_an_earlier_life_went_on_without_them(
    client: Client, new_start: Callable[[], None]
) -> None:
    run = f"unfreezing-{uuid4().hex}"
    new_start()
    training = Training(0.1)
    scheduler = exponential(training, run)
    training.epochs(scheduler, 2)
    saved = scheduler.state_dict()
    training.epochs(scheduler, 10)
    new_start()
    training = Training(0.1)
    scheduler = resumed(training, run, saved)
    training.epochs(scheduler, 1)
    add(training.optimizer, 0.5)
    training.epochs(scheduler, 2)
    new_start()
    training = Training(0.1)
    scheduler = resumed(training, run, saved)
    training.epochs(scheduler, 1)
    with pytest.raises(GroupsDiffer, match="after step 3, where"):
        training.epochs(scheduler, 1)


@pytest.mark.usefixtures("step_by_step")
def test_an_edit_survives_a_start_that_adds_them_at_another_step(
    client: Client, new_start: Callable[[], None]
) -> None:
    run = f"unfreezing-{uuid4().hex}"
    new_start()
    training = Training(0.1)
    scheduler = exponential(training, run)
    training.epochs(scheduler, 2)
    saved = scheduler.state_dict()
    training.epochs(scheduler, 1)
    add(training.optimizer, 0.5)
    training.epochs(scheduler, 3)
    revision = client.get_run(run).revision
    client.edit_run(run, S.ExponentialLR(0.1), expected_revision=revision, reason="to see", at_step=10)
    new_start()
    training = Training(0.1)
    scheduler = resumed(training, run, saved)
    add(training.optimizer, 0.5)
    training.epochs(scheduler, 12)
    found = client.get_run(run)
    assert [b.origin_step for b in found.lineage] == [0, 2]
    assert [(e.effective_step, e.reason) for e in found.edits if e.branch == found.branch] == [(10, "to see")]
    assert float.fromhex(training.used[-1][0]) == pytest.approx(0.1 * 0.1**13, rel=1e-12)


def test_a_run_made_of_a_checkpoint_is_found_again_after_groups_were_added(
    client: Client, own_server: ServerProcess, monkeypatch: pytest.MonkeyPatch, new_start: Callable[[], None]
) -> None:
    run = f"unfreezing-{uuid4().hex}"
    new_start()
    monkeypatch.setenv("LRKEEPER_SERVER", client.server)
    training = Training(0.1)
    scheduler = exponential(training, run)
    training.epochs(scheduler, 5)
    saved = scheduler.state_dict()
    used = []
    for _ in range(2):
        new_start()
        training = Training(0.1)
        scheduler = resumed(training, run, saved, on_missing="create", server=own_server.address)
        training.epochs(scheduler, 2)
        add(training.optimizer, 0.5)
        training.epochs(scheduler, 2)
        used.append(training.used)
    assert used[0] == used[1]


@pytest.mark.parametrize("mode", ["on", "off"])
def test_a_checkpoint_after_they_came_and_before_the_step_loads(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.setenv("LRKEEPER_MODE", mode)

    def both(module: Any) -> list[Any]:
        make = OPTIMIZERS["SGD, floats"]
        scheduler = module.ExponentialLR(make(), 0.9)
        classes.run(scheduler, 0, 3)
        add(scheduler.optimizer, 0.5)
        scheduler.optimizer.step()
        states = scheduler.state_dict(), scheduler.optimizer.state_dict()
        optimizer = make()
        add(optimizer, 0.5)
        scheduler = module.ExponentialLR(optimizer, 0.9)
        optimizer.load_state_dict(states[1])
        scheduler.load_state_dict(states[0])
        return classes.run(scheduler, 3, 6)

    assert both(lr_scheduler) == both(TORCH)


def test_numbers_for_each_group_are_refused_before_the_run_moves(client: Client) -> None:
    run = f"unfreezing-{uuid4().hex}"
    training = Training(0.1, 0.2)
    scheduler = RemoteLR(
        training.optimizer, S.ReduceLROnPlateau(min_lr=[1e-5, 1e-4], patience=0, factor=0.5), run=run
    )
    for _ in range(3):
        scheduler.step(1.0)
    add(training.optimizer, 0.5)
    with pytest.raises(GroupsDiffer, match=r"min_lr of run .* has 2 numbers, and the optimizer 3"):
        scheduler.step(1.0)
    del training.optimizer.param_groups[2]
    scheduler.step(1.0)
    assert client.get_run(run).branch == 1


def test_what_the_step_was_given_at_which_they_came_is_still_told(client: Client) -> None:
    run = f"unfreezing-{uuid4().hex}"
    training = Training(0.1)
    scheduler = RemoteLR(training.optimizer, S.ReduceLROnPlateau(patience=0), run=run)
    for _ in range(3):
        scheduler.step(1.0)
    fence = client.explain(run, 3).fence
    add(training.optimizer, 0.5)
    scheduler.step(2.0)
    found = client.explain(run, 3)
    assert (found.given.metric, found.fence, found.origin, found.branch) == (1.0, fence, False, 2)
    assert len(found.values.row(3)["lr"]) == 2


def test_a_look_at_the_lr_before_a_checkpoint_of_a_later_branch_is_loaded(
    client: Client, new_start: Callable[[], None]
) -> None:
    run = f"unfreezing-{uuid4().hex}"
    new_start()
    first = Training(0.1)
    scheduler = job(first, run, 5)
    saved = scheduler.state_dict()
    job(first, run, 8, scheduler=scheduler)
    scheduler.finish()
    new_start()
    again = Training(0.1)
    scheduler = exponential(again, run, on_existing="takeover")
    assert scheduler.get_last_lr() == [0.1]
    add(again.optimizer, 3.5)
    scheduler.load_state_dict(saved)
    job(again, run, 8, scheduler=scheduler)
    assert again.used == first.used[5:]


def test_a_copy_of_a_composite_goes_on_until_torch_ends_too(server: ServerProcess) -> None:
    def both(module: Any) -> list[Any]:
        optimizer = OPTIMIZERS["SGD, floats"]()
        members = [module.ExponentialLR(optimizer, 0.9), module.OneCycleLR(optimizer, 0.3, total_steps=40)]
        scheduler = module.SequentialLR(optimizer, members, [6])
        found = stepped(scheduler, 4, {2: 0.5})
        return [*found, *stepped(copy.deepcopy(scheduler), 4, {})]

    assert both(lr_scheduler) == both(TORCH)


MIXED: dict[str, S.Schedule] = {
    "a closed form, then torch's": S.Sequence(
        [S.Stage(S.Ramp(3, begin=0.01), over=3), S.Stage(S.StepLR(2, 0.5))]
    ),
    "torch's, then a closed form": S.StepLR(2, 0.5).then(S.Ramp(20, end=0.001), at=3),
    "torch's in tracks with a scale": S.Tracks(
        [S.Track(S.StepLR(2, 0.5).then(S.Constant(), at=3), scale=0.5)]
    ),
}


@pytest.mark.parametrize("mode", ["on", "off"])
@pytest.mark.parametrize("name", MIXED)
def test_they_come_in_a_later_stage_of_a_mixed_sequence(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch, name: str, mode: str
) -> None:
    monkeypatch.setenv("LRKEEPER_MODE", mode)
    alone, training = Training(0.1), Training(0.1)
    expected = alone.epochs(RemoteLR(alone.optimizer, MIXED[name]), 10)
    scheduler = RemoteLR(training.optimizer, MIXED[name])
    training.epochs(scheduler, 5)
    add(training.optimizer, 0.4)
    training.epochs(scheduler, 5)
    assert [(row[0],) for row in training.used] == expected
    assert [len(row) for row in training.used] == [1] * 5 + [2] * 5
