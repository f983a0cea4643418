"""float32 arithmetic, beside torch's."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lrkeeper.schedules.numbers import F32

operations: list[Callable[[Any, Any], Any]] = [operator.add, operator.sub, operator.mul, operator.truediv]


@pytest.mark.parametrize("operation", operations)
@given(left=st.floats(width=32), right=st.floats())
def test_an_operation_gives_what_a_float32_tensor_gives(
    operation: Callable[[Any, Any], Any], left: float, right: float
) -> None:
    theirs = operation(torch.tensor(left, dtype=torch.float32), right).item()
    ours = operation(F32(left), right)
    assert type(ours) is F32
    assert ours.hex() == float(theirs).hex()


@given(left=st.floats(), right=st.floats(width=32))
def test_a_python_number_on_the_left_is_rounded_too(left: float, right: float) -> None:
    tensor = torch.tensor(right, dtype=torch.float32)
    assert (left * F32(right)).hex() == float((left * tensor).item()).hex()
    assert (left - F32(right)).hex() == float((left - tensor).item()).hex()
