"""The importers: what they refuse, and what they say instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lrkeeper import schedules as S


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (
            lambda: S.from_hf("sine"),
            ValueError,
            "transformers has no schedule 'sine' known here; there are constant",
        ),
        (lambda: S.from_hf("linear", num_training_steps=10), ValueError, "linear needs num_warmup_steps"),
        (lambda: S.from_hf("linear", num_warmup_steps=10), ValueError, "linear needs num_training_steps"),
        (
            lambda: S.from_hf("cosine_with_min_lr", num_warmup_steps=1, num_training_steps=10),
            ValueError,
            "one of min_lr and min_lr_rate is needed",
        ),
        (
            lambda: S.from_hf("cosine", num_warmup_steps=1, num_training_steps=9, cycles=2),
            TypeError,
            "unexpected keyword argument 'cycles'",
        ),
        (
            lambda: S.from_hf("warmup_stable_decay", num_warmup_steps=1, num_decay_steps=9),
            ValueError,
            "needs num_training_steps or num_stable_steps",
        ),
        (lambda: S.from_timm("cosine", t_initial=9, noise_range_t=[3, 6]), ValueError, "no formula has it"),
        (
            lambda: S.from_timm("wsd", t_initial=9, decay_t=3, decay_fn="cube"),
            ValueError,
            "decay_fn is 'cube'",
        ),
        (
            lambda: S.from_deepspeed({"optimizer": {}}),
            ValueError,
            "there is no scheduler in the configuration",
        ),
        (
            lambda: S.from_deepspeed({"type": "WarmupLR", "params": {"warmup_num_steps": "auto"}}),
            ValueError,
            'warmup_num_steps is "auto": give the number that the trainer puts there',
        ),
        (lambda: S.from_optax("cosine"), ValueError, "optax has no schedule 'cosine' known here"),
        (lambda: S.from_keras("CosineDecay", steps=3), TypeError, "unexpected keyword argument 'steps'"),
    ],
)
def test_an_importer_refuses(call: Callable[[], Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error) as refusal:
        call()
    assert says in str(refusal.value)


def test_a_schedule_of_another_library_is_read_as_it_is_written() -> None:
    made = S.from_hf("linear", num_warmup_steps=10, num_training_steps=100)
    stages = [
        S.Stage(S.Ramp(10, begin=0), over=10, label="warmup"),
        S.Stage(S.Ramp(90, begin=S.Level(relative=1.0), end=0), label="decay"),
    ]
    assert made == S.Sequence(stages)


def test_min_lr_is_a_value_or_a_share_of_the_lr_of_the_optimizer() -> None:
    given: dict[str, Any] = {"num_warmup_steps": 0, "num_training_steps": 80, "min_lr": 0.01}
    for lr, end in ((None, S.Level(absolute=0.01)), (0.5, S.Level(relative=0.02))):
        made = S.from_hf("cosine_with_min_lr", lr=lr, **given)
        assert isinstance(made, S.Ramp)
        assert made.end == end
