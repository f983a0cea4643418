"""A schedule that cannot go on: torch's exception, at torch's step, in words; and nothing has moved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.errors import InvalidArgument, RunNotFound
from tests.client.training import Training, undisturbed
from tests.support.server import ServerProcess

Make = Callable[[Any, Any], Any]

FAILING: dict[str, tuple[Make, str]] = {
    "a step size of 0": (lambda m, o: m.StepLR(o, 0), r"step 1 of run '.*' cannot be reached: StepLR: "),
    "a list for a step size": (
        lambda m, o: m.StepLR(o, [3, 6]),
        r"step_size is \[3, 6\]; .* use MultiStepLR\(optimizer, milestones=\[3, 6\]\)",
    ),
    "a text for a step size": (lambda m, o: m.StepLR(o, "3"), "step_size is '3'"),
    "a text for a factor": (lambda m, o: m.StepLR(o, 1, "0.1"), "gamma is '0.1'"),
    "a composite as a later member": (
        lambda m, o: m.SequentialLR(
            o, [m.StepLR(o, 1, 0.9), m.SequentialLR(o, [m.StepLR(o, 2), m.StepLR(o, 3)], [2])], [4]
        ),
        r"step 4 of run '.*' cannot be reached: SequentialLR: .*cannot start again inside a SequentialLR",
    ),
    "a step size of 0 in a later member": (
        lambda m, o: m.SequentialLR(o, [m.StepLR(o, 2, 0.9), m.StepLR(o, 0)], [3]),
        "step 3 of run '.*' cannot be reached",
    ),
    "an overflow of a factor": (
        lambda m, o: m.MultiStepLR(o, [2] * 400, gamma=10.0),
        "step 2 of run '.*' cannot be reached",
    ),
}


def first_failure(module: Any, make: Make) -> tuple[int, type[Exception], str, Training, Any]:
    """Train until the scheduler raises; return after how many steps, what, and what is left."""
    training = Training()
    scheduler = make(module, training.optimizer)
    for done in range(20):
        training.update()
        try:
            scheduler.step()
        except Exception as error:
            said = "\n".join([str(error), *getattr(error, "__notes__", ())])
            return done, type(error), said, training, scheduler
    raise AssertionError("it never failed")


@pytest.mark.parametrize("case", FAILING)
def test_a_drop_in_fails_where_torch_does_with_torchs_class_and_says_why(
    server: ServerProcess, case: str
) -> None:
    make, says = FAILING[case]
    their_step, their_class, *_ = first_failure(torch_schedulers, make)
    our_step, our_class, said, *_ = first_failure(lr_scheduler, make)
    assert (our_step, our_class) == (their_step, their_class)
    with pytest.raises(our_class, match=says):
        raise our_class(said)


@pytest.mark.parametrize("case", [case for case in FAILING if "cannot be reached" in FAILING[case][1]])
def test_what_it_says_first_is_what_torch_says(server: ServerProcess, case: str) -> None:
    make, _ = FAILING[case]
    theirs, ours = (first_failure(module, make)[2] for module in (torch_schedulers, lr_scheduler))
    assert ours.splitlines()[0] == theirs


@pytest.mark.parametrize("case", FAILING)
def test_the_failure_moves_nothing_and_comes_again(server: ServerProcess, case: str) -> None:
    done, error, _, training, scheduler = first_failure(lr_scheduler, FAILING[case][0])
    before, lrs = scheduler.state_dict(), training.lrs()
    assert scheduler.last_epoch == done
    for _ in range(2):
        with pytest.raises(error):
            scheduler.step()
    assert (scheduler.state_dict(), training.lrs()) == (before, lrs)
    training.update()
    assert training.used[-1] == training.used[done]


def test_the_steps_before_the_failure_are_committed(client: Client, run: str) -> None:
    training = Training()
    schedule = S.SequentialLR.unchecked(
        schedulers=(S.StepLR(1, 0.9), S.StepLR.unchecked(step_size=0)), milestones=(4,)
    )
    scheduler = RemoteLR(training.optimizer, schedule, run=run)
    training.epochs(scheduler, 3)
    with pytest.raises(ZeroDivisionError, match=f"step 4 of run '{run}' cannot be reached"):
        training.epochs(scheduler, 1)
    assert client.get_run(run).frontier == 4


def test_an_edit_leads_on_past_a_step_that_could_not_be_reached(client: Client, run: str) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.StepLR.unchecked(step_size=0), run=run)
    training.update()
    with pytest.raises(ZeroDivisionError):
        scheduler.step()
    client.edit_run(run, S.StepLR(2, gamma=0.7), expected_revision=1, reason="step_size was 0")
    scheduler.step()
    training.epochs(scheduler, 3)
    assert training.used == undisturbed("StepLR", 4)


def test_a_log_of_the_lr_does_not_raise_before_torch_does(server: ServerProcess) -> None:
    for module in (torch_schedulers, lr_scheduler):
        training = Training()
        scheduler = module.StepLR(training.optimizer, [3, 6])
        assert scheduler.get_last_lr() == [0.1]
        training.update()
        assert scheduler.get_last_lr() == [0.1]
        scheduler.state_dict()
        with pytest.raises(TypeError):
            scheduler.step()


@pytest.mark.filterwarnings("ignore")
def test_step_takes_what_torchs_step_takes(server: ServerProcess) -> None:
    """None is torch's default, and a composite takes no epoch at all."""
    training = Training()
    scheduler = lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7)
    training.update()
    scheduler.step(None)
    training.update()
    scheduler.step(epoch=None)
    assert training.lrs() == undisturbed("StepLR", 3)[2]
    with pytest.raises(TypeError):
        scheduler.step(7, 8)
    assert scheduler.last_epoch == 2
    for module in (torch_schedulers, lr_scheduler):
        composite = module.SequentialLR(training.optimizer, [module.StepLR(training.optimizer, 2)], [])
        with pytest.raises(TypeError):
            composite.step(3)


def test_a_schedule_that_the_run_cannot_begin_with_is_refused_and_nothing_is_stored(
    client: Client, run: str
) -> None:
    training = Training()
    scheduler = lr_scheduler.StepLR(training.optimizer, 2)
    nested = S.SequentialLR.unchecked(schedulers=(), milestones=())
    with pytest.raises((ValueError, InvalidArgument), match="SequentialLR"):
        RemoteLR(training.optimizer, nested, run=run).get_last_lr()
    with pytest.raises(RunNotFound):
        client.get_run(run)
    assert training.epochs(scheduler, 2) == [((0.1).hex(),)] * 2
