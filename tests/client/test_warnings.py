"""torch's warnings, as torch gives them: text, category, and the line of the program that is to blame."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import pytest
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from tests.client.training import DEFINITIONS, KINDS, SHAPES, Training, kept, undisturbed
from tests.support.server import ServerProcess

Warned = tuple[type[Warning], str, str, int]
"""Category, text, file and line."""


def steps_before_the_optimizer(scheduler: Any, count: int = 3) -> list[Warned]:
    """Step the scheduler alone; return what that warned of, as Python's default filters show it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        for _ in range(count):
            scheduler.step()
    return [(w.category, str(w.message), w.filename, w.lineno) for w in caught]


LINE_OF_THE_STEP = steps_before_the_optimizer.__code__.co_firstlineno + 5


@pytest.mark.parametrize("shape", SHAPES)
def test_a_drop_in_warns_of_the_wrong_order_as_torch_does(server: ServerProcess, shape: str) -> None:
    theirs = steps_before_the_optimizer(SHAPES[shape](torch_schedulers, Training().optimizer))
    ours = steps_before_the_optimizer(SHAPES[shape](lr_scheduler, Training().optimizer))
    assert len(theirs) == 1
    assert ours == theirs


def test_a_remote_lr_warns_of_the_wrong_order_as_torchs_step_lr_does(server: ServerProcess) -> None:
    theirs = steps_before_the_optimizer(torch_schedulers.StepLR(Training().optimizer, 2))
    ours = steps_before_the_optimizer(RemoteLR(Training().optimizer, DEFINITIONS["StepLR"]))
    assert ours == theirs
    assert theirs[0][2:] == (__file__, LINE_OF_THE_STEP)


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_order_warns_of_nothing(server: ServerProcess, kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        training = Training()
        training.epochs(kept(kind, training.optimizer), 4)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_copy_warns_that_the_optimizers_step_was_replaced_as_torchs_does(
    server: ServerProcess, shape: str
) -> None:
    theirs = copy.deepcopy(SHAPES[shape](torch_schedulers, Training().optimizer))
    ours = copy.deepcopy(SHAPES[shape](lr_scheduler, Training().optimizer))
    theirs_warned = steps_before_the_optimizer(theirs)
    assert "overridden" in theirs_warned[0][1]
    assert steps_before_the_optimizer(ours) == theirs_warned


def test_a_filter_on_torchs_module_or_on_the_callers_sees_the_same_warning(server: ServerProcess) -> None:
    """Accelerate ignores the warnings that come out of torch's module, and no others."""
    for module in (torch_schedulers, lr_scheduler):
        scheduler = module.StepLR(Training().optimizer, 2)
        composite = SHAPES["SequentialLR"](module, Training().optimizer)
        with warnings.catch_warnings(record=True) as caught:
            warnings.resetwarnings()
            warnings.filterwarnings("ignore", category=UserWarning, module=r"torch\.optim\.lr_scheduler")
            composite.step()
            assert caught == []
            scheduler.step()
        assert [w.filename for w in caught] == [__file__]


@pytest.mark.parametrize("kind", ["StepLR drop-in", "StepLR RemoteLR"])
def test_a_warning_turned_into_an_error_moves_nothing_as_in_torch(server: ServerProcess, kind: str) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    scheduler.get_last_lr()
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(UserWarning, match=r"before `optimizer\.step"):
                scheduler.step()
    assert (scheduler.last_epoch, scheduler.state_dict()["lrkeeper"]["step"]) == (0, 0)
    assert training.epochs(scheduler, 4) == undisturbed("StepLR", 4)


def test_other_warnings_on_the_way_are_not_swallowed(server: ServerProcess) -> None:
    """The first step is where torch's warnings are caught and given again; they are not the only ones."""
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.StepLR(2))
    training.update()
    training.optimizer.param_groups[0]["lr"] = 3.0
    with warnings.catch_warnings(record=True) as caught:
        warnings.resetwarnings()
        scheduler.step()
    assert ["by other code" in str(w.message) for w in caught] == [True]
