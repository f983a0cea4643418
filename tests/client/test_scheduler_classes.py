"""What a framework asks of a scheduler before it trusts it: torch's classes, attributes, arguments, errors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedulers
from torch.optim.lr_scheduler import LRScheduler

from lrkeeper import RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from tests.client.training import KINDS, SHAPES, Training, hexes, kept, undisturbed
from tests.support.server import ServerProcess

STEP_LR = S.StepLR(2, gamma=0.7)


class Follower(LRScheduler):
    """The least that is a torch scheduler."""

    def get_lr(self) -> Any:
        return [group["lr"] for group in self.optimizer.param_groups]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kept_scheduler_is_a_torch_scheduler(server: ServerProcess, kind: str) -> None:
    scheduler = kept(kind, Training().optimizer)
    shape, _, by = kind.partition(" ")
    assert isinstance(scheduler, LRScheduler)
    assert isinstance(scheduler, getattr(torch_schedulers, shape)) == (by == "drop-in")
    assert isinstance(scheduler, getattr(lr_scheduler, shape)) == (by == "drop-in")


@pytest.mark.parametrize("name", SHAPES)
def test_a_drop_in_takes_torchs_arguments(name: str) -> None:
    def arguments(cls: type) -> list[tuple[str, Any, Any]]:
        return [(p.name, p.kind, p.default) for p in inspect.signature(cls).parameters.values()]

    assert arguments(getattr(lr_scheduler, name)) == arguments(getattr(torch_schedulers, name))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_drop_in_keeps_torchs_books_at_every_step(server: ServerProcess, shape: str) -> None:
    ours, theirs = Training(0.1, 0.02), Training(0.1, 0.02)
    our = SHAPES[shape](lr_scheduler, ours.optimizer)
    their = SHAPES[shape](torch_schedulers, theirs.optimizer)
    for _ in range(12):
        assert books(our) == books(their)
        assert our.get_last_lr() == their.get_last_lr() == [g["lr"] for g in ours.optimizer.param_groups]
        ours.epochs(our, 1)
        theirs.epochs(their, 1)


def books(scheduler: Any) -> dict[str, Any]:
    """Return all that a scheduler keeps, with its members' books in their place."""
    found = {name: value for name, value in vars(scheduler).items() if name != "optimizer"}
    if "_schedulers" in found:
        found["_schedulers"] = [books(member) for member in found["_schedulers"]]
    return found


def test_a_remote_lr_has_torchs_attributes(server: ServerProcess) -> None:
    training = Training(0.1, 0.02)
    scheduler = RemoteLR(training.optimizer, STEP_LR)
    assert scheduler.optimizer is training.optimizer
    assert scheduler.base_lrs == [0.1, 0.02]
    assert (scheduler.last_epoch, scheduler.get_last_lr()) == (0, [0.1, 0.02])
    training.epochs(scheduler, 5)
    assert scheduler.last_epoch == 5
    assert (hexes(scheduler.get_last_lr()),) == tuple(undisturbed("StepLR", 6, 0.1, 0.02)[5:])
    assert [group["initial_lr"] for group in training.optimizer.param_groups] == [0.1, 0.02]


def test_a_remote_lr_keeps_in_its_dict_what_every_torch_scheduler_does(server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR)
    training.epochs(scheduler, 2)
    theirs = Training()
    follower = Follower(theirs.optimizer)
    theirs.epochs(follower, 2)
    assert vars(scheduler).keys() == vars(follower).keys()
    assert scheduler.state_dict().keys() == {*follower.state_dict(), "lrkeeper"}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_drop_in_adds_one_entry_to_torchs_state(server: ServerProcess, shape: str) -> None:
    ours, theirs = Training(), Training()
    our = SHAPES[shape](lr_scheduler, ours.optimizer)
    their = SHAPES[shape](torch_schedulers, theirs.optimizer)
    ours.epochs(our, 5)
    theirs.epochs(their, 5)
    state = our.state_dict()
    del state["lrkeeper"]
    assert state == their.state_dict()


# What torch refuses is refused as torch does it.


def of_another_optimizer(module: Any, optimizer: Any) -> Any:
    return module.SequentialLR(
        optimizer, [module.StepLR(optimizer, 2), module.StepLR(Training().optimizer, 2)], [3]
    )


REFUSED: dict[str, Callable[[Any, Any], Any]] = {
    "no optimizer": lambda m, o: m.StepLR(o.param_groups, 2),
    "no optimizer at all": lambda m, o: m.MultiStepLR(None, [2]),
    "milestones that are none": lambda m, o: m.MultiStepLR(o, 5),
    "an argument that is none of the class's": lambda m, o: m.StepLR(o, 2, verbose=True),
    "last_epoch of an optimizer without initial_lr": lambda m, o: m.StepLR(o, 2, last_epoch=3),
    "no schedulers": lambda m, o: m.SequentialLR(o, [], []),
    "a milestone too many": lambda m, o: m.SequentialLR(o, [m.StepLR(o, 2), m.StepLR(o, 3)], [3, 5]),
    "a milestone too few": lambda m, o: m.SequentialLR(o, [m.StepLR(o, 2), m.StepLR(o, 3)], []),
    "a member of another optimizer": of_another_optimizer,
    "a member that is no scheduler": lambda m, o: m.SequentialLR(o, [m.StepLR(o, 2), object()], [3]),
    "a member that needs a metric": lambda m, o: m.SequentialLR(
        o, [m.StepLR(o, 2), torch_schedulers.ReduceLROnPlateau(o)], [3]
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_drop_in_refuses_what_torch_refuses(server: ServerProcess, case: str) -> None:
    def refusal(module: Any) -> tuple[type[Exception], str]:
        with pytest.raises(Exception) as caught:
            REFUSED[case](module, Training().optimizer)
        return caught.type, str(caught.value).split(" which is different from")[0].split("Parameter Group")[0]

    assert refusal(lr_scheduler) == refusal(torch_schedulers)


def test_a_remote_lr_wants_a_torch_optimizer(server: ServerProcess) -> None:
    with pytest.raises(TypeError, match=r"^list is not an Optimizer$"):
        RemoteLR([], STEP_LR)  # type: ignore[arg-type]


def test_a_remote_lr_wants_a_definition_or_a_name(server: ServerProcess) -> None:
    with pytest.raises(TypeError, match=r"schedule is 0\.1; it must be a definition, such as S\.StepLR"):
        RemoteLR(Training().optimizer, 0.1)  # type: ignore[arg-type]


def test_a_composite_refuses_a_member_that_is_not_kept(server: ServerProcess) -> None:
    optimizer = Training().optimizer
    members: list[LRScheduler] = [lr_scheduler.StepLR(optimizer, 2), RemoteLR(optimizer, STEP_LR)]
    with pytest.raises(TypeError, match="RemoteLR is not a scheduler that lrkeeper keeps; it keeps StepLR"):
        lr_scheduler.SequentialLR(optimizer, members, [3])


def test_a_composite_whose_constructor_failed_leaves_its_members_their_runs(server: ServerProcess) -> None:
    training = Training()
    member = lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7)
    with pytest.raises(ValueError, match="number of schedulers provided"):
        lr_scheduler.SequentialLR(training.optimizer, [member], [3])
    assert training.epochs(member, 4) == undisturbed("StepLR", 4)
    assert member.state_dict()["lrkeeper"]["step"] == 4


@pytest.mark.parametrize("option", ["on_existing", "on_missing", "mode", "counts"])
def test_an_option_that_is_none_is_refused_at_construction(server: ServerProcess, option: str) -> None:
    with pytest.raises(Exception, match=f"(?i){option} is 'sometimes'; it must be ") as caught:
        RemoteLR(Training().optimizer, STEP_LR, **{option: "sometimes"})  # type: ignore[arg-type]
    assert not isinstance(caught.value, KeyError)


# How the frameworks use it (the names are those of their checks).


@pytest.mark.parametrize("kind", KINDS)
def test_a_trainer_of_lightnings_kind_takes_it(server: ServerProcess, kind: str) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    # Its check, at setup.
    assert hasattr(scheduler, "state_dict")
    assert hasattr(scheduler, "load_state_dict")
    assert isinstance(scheduler, LRScheduler | torch_schedulers.ReduceLROnPlateau)
    assert not isinstance(scheduler, torch_schedulers.ReduceLROnPlateau)
    assert scheduler.optimizer is training.optimizer
    # Its monitor reads the optimizer that the scheduler names.
    training.epochs(scheduler, 3)
    assert [group["lr"] for group in scheduler.optimizer.param_groups] == scheduler.get_last_lr()


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrapper_of_accelerates_kind_takes_it(server: ServerProcess, kind: str) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    assert isinstance(scheduler, LRScheduler), "it would be left unwrapped, silently"
    assert not hasattr(scheduler, "total_steps")
    for _ in range(3):  # two accumulated batches, then one that steps
        if hasattr(scheduler, "_step_count"):
            scheduler._step_count += 1
        training.update()
        scheduler.step()
    assert (hexes(scheduler.get_last_lr()),) == tuple(undisturbed(kind.split()[0], 4)[3:])


@pytest.mark.parametrize("kind", KINDS)
def test_a_trainer_of_transformers_kind_takes_it(server: ServerProcess, kind: str) -> None:
    training = Training(torch.tensor(0.1))
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 3)
    logged = scheduler.get_last_lr()[0]
    if torch.is_tensor(logged):
        logged = logged.item()
    assert isinstance(logged, float)
    # DeepSpeed calls what is callable instead of using it, and skips what is falsy.
    assert not callable(scheduler)
    assert bool(scheduler)


def test_every_public_class_of_torch_has_its_drop_in() -> None:
    names = {*torch.optim.lr_scheduler.__all__, "SWALR"}
    assert set(lr_scheduler.__all__) == names
    for name in names - {"LRScheduler"}:
        ours = getattr(lr_scheduler, name)
        theirs = getattr(torch.optim.lr_scheduler, name, torch.optim.swa_utils.SWALR)
        assert issubclass(ours, theirs)
        assert inspect.signature(ours) == inspect.signature(theirs)
        assert ours.__doc__ == theirs.__doc__
    for name in ("_LRScheduler", "EPOCH_DEPRECATION_WARNING", "LRScheduler"):
        assert getattr(lr_scheduler, name) is getattr(torch.optim.lr_scheduler, name)
