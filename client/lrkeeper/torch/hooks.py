"""Hooks on an optimizer's steps, also where it is wrapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.utils.hooks import RemovableHandle

Hook = Callable[[Any, Any, Any], None]


def before_step(optimizer: Any, hook: Hook) -> RemovableHandle | None:
    """Have a hook called before each step; None where an optimizer takes none."""
    return _registered("register_step_pre_hook", optimizer, hook)


def after_step(optimizer: Any, hook: Hook) -> RemovableHandle | None:
    """Have a hook called after each step; None where an optimizer takes none."""
    return _registered("register_step_post_hook", optimizer, hook)


def _registered(register: str, optimizer: Any, hook: Hook) -> RemovableHandle | None:
    # A wrapper, such as Accelerate's, may be a torch Optimizer whose constructor never ran: it has the method, which
    # raises. The optimizer in it is the one that steps.
    while optimizer is not None:
        try:
            handle: RemovableHandle = getattr(optimizer, register)(hook)
        except AttributeError:
            optimizer = getattr(optimizer, "optimizer", None)
        else:
            return handle
    return None
