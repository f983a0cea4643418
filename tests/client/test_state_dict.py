"""What a checkpoint holds of a scheduler: primitives, a place on a run, and nothing that is not torch's."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import Client, RemoteLR
from lrkeeper import schedules as S
from lrkeeper.errors import BadCheckpoint, GroupsDiffer
from tests.client.training import DEFINITIONS, KINDS, SHAPES, Training, kept, undisturbed
from tests.support.server import ServerProcess

STEP_LR = DEFINITIONS["StepLR"]


def trained(kind: str, epochs: int, **options: Any) -> tuple[Training, Any]:
    training = Training()
    scheduler = kept(kind, training.optimizer, **options)
    training.epochs(scheduler, epochs)
    return training, scheduler


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_checkpoint_loads_with_weights_only(server: ServerProcess, tmp_path: Path, kind: str) -> None:
    training, scheduler = trained(kind, 5)
    saved = {
        "model": training.model.state_dict(),
        "optimizer": training.optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
    }
    torch.save(saved, tmp_path / "checkpoint.pt")
    loaded = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert loaded["scheduler"] == saved["scheduler"]

    second = Training()
    resumed = kept(kind, second.optimizer)
    second.model.load_state_dict(loaded["model"])
    second.optimizer.load_state_dict(loaded["optimizer"])
    resumed.load_state_dict(loaded["scheduler"])
    assert second.epochs(resumed, 6) == undisturbed(kind.split()[0], 11)[5:]


@pytest.mark.parametrize("lr", [0.1, torch.tensor(0.1)], ids=["float", "tensor"])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_remote_lrs_state_is_json(server: ServerProcess, shape: str, lr: Any) -> None:
    training = Training(lr, 0.5)
    scheduler = RemoteLR(training.optimizer, DEFINITIONS[shape])
    training.epochs(scheduler, 5)
    state = scheduler.state_dict()
    assert json.loads(json.dumps(state)) == state


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_holds_primitives_before_the_run_is_opened_too(server: ServerProcess, kind: str) -> None:
    scheduler = kept(kind, Training().optimizer)
    assert_primitive(scheduler.state_dict())


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_holds_primitives(server: ServerProcess, kind: str) -> None:
    _, scheduler = trained(kind, 5)
    assert_primitive(scheduler.state_dict())


def assert_primitive(value: Any) -> None:
    """Exactly these types: a subclass would not load with weights_only. (torch's milestones are a Counter.)"""
    if type(value) in (dict, Counter):
        for key, item in value.items():
            assert_primitive(key)
            assert_primitive(item)
    elif type(value) in (list, tuple):
        for item in value:
            assert_primitive(item)
    else:
        assert type(value) in (int, float, str, bool, type(None)), value


def test_a_state_names_its_run_and_step(client: Client, run: str) -> None:
    _, scheduler = trained("StepLR RemoteLR", 5, run=run)
    place = scheduler.state_dict()["lrkeeper"]
    stored = client.get_run(run)
    assert (place["run"], place["run_uid"], place["step"]) == (run, stored.uid, 5)
    assert (place["branch"], place["revision"]) == (stored.branch, stored.revision)


@pytest.mark.parametrize("kind", KINDS)
def test_taking_a_state_changes_nothing(server: ServerProcess, kind: str) -> None:
    training, scheduler = trained(kind, 3)
    state = scheduler.state_dict()
    assert scheduler.state_dict() == state
    training.epochs(scheduler, 2)
    assert state["lrkeeper"]["step"] == 3
    assert training.used == undisturbed(kind.split()[0], 5)


@pytest.mark.parametrize("kind", KINDS)
def test_loading_a_state_does_not_change_the_state(server: ServerProcess, kind: str) -> None:
    _, scheduler = trained(kind, 3)
    state, copy = scheduler.state_dict(), scheduler.state_dict()
    kept(kind, Training().optimizer).load_state_dict(state)
    assert state == copy


# What is refused, and that a refusal leaves the scheduler as it was.


def refusals() -> dict[str, tuple[Any, type[Exception], str]]:
    def without(state: dict[str, Any], name: str) -> None:
        del state["lrkeeper"][name]

    def put(state: dict[str, Any], name: str, value: Any) -> None:
        state["lrkeeper"][name] = value

    return {
        "another version": (
            lambda state: put(state, "version", 2),
            BadCheckpoint,
            "version 2; this one reads 1",
        ),
        "a field missing": (lambda state: without(state, "cursor"), BadCheckpoint, "cursor"),
        "no version": (lambda state: without(state, "version"), BadCheckpoint, "version"),
        "a schedule that is none": (
            lambda state: put(state, "schedule", '{"no_lr": {}}'),
            BadCheckpoint,
            "cannot be read",
        ),
        "a schedule that is no JSON": (
            lambda state: put(state, "schedule", "{"),
            BadCheckpoint,
            "cannot be read",
        ),
        "a step that is none": (lambda state: put(state, "step", "five"), BadCheckpoint, "cannot be read"),
        "a step before the first": (
            lambda state: put(state, "step", -4),
            BadCheckpoint,
            "cannot be read",
        ),
        "values of other groups": (
            lambda state: put(state, "values", {"lr": [0.1, 0.2]}),
            BadCheckpoint,
            "cannot be read",
        ),
        "values that are none": (
            lambda state: put(state, "values", {"lr": [float("nan")]}),
            BadCheckpoint,
            "cannot be read",
        ),
        "no groups": (
            lambda state: put(state, "groups", []),
            GroupsDiffer,
            "0 param groups; the optimizer has 1",
        ),
        "an entry that is none": (
            lambda state: state.update(lrkeeper="resnet"),
            BadCheckpoint,
            "cannot be read",
        ),
    }


@pytest.mark.parametrize("case", refusals())
def test_a_state_that_cannot_be_used_is_refused_and_changes_nothing(server: ServerProcess, case: str) -> None:
    spoil, error, says = refusals()[case]
    _, saved = trained("StepLR drop-in", 4)
    state = saved.state_dict()
    spoil(state)
    training, scheduler = trained("StepLR drop-in", 2)
    before, lrs = scheduler.state_dict(), training.lrs()
    with pytest.raises(error, match=says):
        scheduler.load_state_dict(state)
    assert (scheduler.state_dict(), training.lrs()) == (before, lrs)
    assert training.epochs(scheduler, 4) == undisturbed("StepLR", 6)[2:]


def test_the_state_of_another_run_than_the_one_named_is_refused(client: Client, run: str) -> None:
    _, saved = trained("StepLR RemoteLR", 4, run=f"{run}-a")
    training, scheduler = trained("StepLR RemoteLR", 2, run=f"{run}-b")
    before = scheduler.state_dict()
    with pytest.raises(BadCheckpoint, match=f"of run '{run}-a', and the scheduler was given run='{run}-b'"):
        scheduler.load_state_dict(saved.state_dict())
    assert scheduler.state_dict() == before
    assert training.epochs(scheduler, 2) == undisturbed("StepLR", 4)[2:]


@pytest.mark.parametrize("groups", [1, 2])
def test_the_state_of_more_param_groups_is_refused(server: ServerProcess, groups: int) -> None:
    saved = Training(0.1, 0.2, 0.3)
    scheduler = RemoteLR(saved.optimizer, STEP_LR)
    saved.epochs(scheduler, 2)
    other = RemoteLR(Training(*[0.1] * groups).optimizer, STEP_LR)
    before = other.state_dict()
    with pytest.raises(GroupsDiffer, match=f"of 3 param groups; the optimizer has {groups}"):
        other.load_state_dict(scheduler.state_dict())
    assert other.state_dict() == before


def test_a_remote_lr_refuses_a_plain_torch_state(server: ServerProcess) -> None:
    training = Training()
    theirs = torch_schedulers.StepLR(training.optimizer, 2, gamma=0.7)
    training.epochs(theirs, 3)
    with pytest.raises(BadCheckpoint, match="it was not saved by lrkeeper's RemoteLR; to go on from a torch"):
        RemoteLR(Training().optimizer, S.StepLR(2, gamma=0.7)).load_state_dict(theirs.state_dict())
