"""The examples in the docstrings of torch's schedulers, and stand-ins for what they leave undefined."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.swa_utils import SWALR

STAND_INS = "# with stand-ins"
"""A program with this comment is given the names of `stand_ins`."""

CLASSES: dict[str, type] = {
    **{name: getattr(lr_scheduler, name) for name in lr_scheduler.__all__ if name != "LRScheduler"},
    "SWALR": SWALR,
}
_IMPORTS = (
    f"{STAND_INS}\n"
    "from torch.optim import lr_scheduler\n"
    f"from torch.optim.lr_scheduler import {', '.join(name for name in CLASSES if name != 'SWALR')}\n"
    "from torch.optim.swa_utils import SWALR\n"
)
_CONSTRUCTION = re.compile(rf"\b({'|'.join(CLASSES)})\(")
_QUALIFIED = (("torch.optim.lr_scheduler.", "lr_scheduler."), ("torch.optim.swa_utils.SWALR", "SWALR"))
_LEFT_OUT = re.compile(r"^[\w, ]+ = \.\.\.$", re.MULTILINE)
"""`loader, model = ...`: what the reader has to think of."""


def examples() -> dict[str, str]:
    """Return every example that makes a scheduler, as a program; its name begins with the class it is of."""
    found: dict[str, str] = {}
    for cls in CLASSES.values():
        for place, doc in _docstrings(cls):
            for number, example in enumerate(_examples(doc)):
                if _CONSTRUCTION.search(example):
                    found[f"{place} {number}"] = _IMPORTS + example
    return found


def made_by(source: str) -> set[str]:
    """Return the names of the classes that a program makes schedulers of."""
    return set(_CONSTRUCTION.findall(source))


def _docstrings(cls: type) -> Iterator[tuple[str, str]]:
    yield cls.__name__, cls.__doc__ or ""
    for name, member in vars(cls).items():
        if callable(member) and member.__doc__:
            yield f"{cls.__name__}.{name}", member.__doc__


def _examples(doc: str) -> Iterator[str]:
    """Yield a docstring's blocks of `>>>` lines, without the prompts."""
    block: list[str] = []
    for line in [*doc.splitlines(), ""]:
        text = line.strip()
        if text.startswith((">>>", "...")):
            block.append(text[4:])
        elif block:
            example = "\n".join(block) + "\n"
            for qualified, name in _QUALIFIED:
                example = example.replace(qualified, name)
            yield _LEFT_OUT.sub("pass", example)
            block = []


def stand_ins(namespace: dict[str, Any]) -> dict[str, Any]:
    """Return small things by the names that the examples leave undefined.

    Training prints the lr of each step, so that the whole course is compared.
    """
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))
    groups: list[dict[str, Any]] = [
        {"params": model[0].parameters()},
        {"params": model[2].parameters(), "lr": 0.02},
    ]
    batches = [(torch.ones(4, 2), torch.zeros(4, 1)), (torch.ones(4, 2) / 2, torch.ones(4, 1))]
    losses = iter([1.0, 0.9, 0.9, 0.8] + 1000 * [0.8])

    def train(_: Any) -> None:
        optimizer = namespace["optimizer"]
        print([(group["lr"], group["momentum"]) for group in optimizer.param_groups])
        optimizer.zero_grad()
        model(batches[0][0]).square().mean().backward()
        optimizer.step()

    def validate(_: Any) -> float:
        return next(losses)

    return {
        "torch": _torch_with_data(batches),
        "model": model,
        "net": model,
        "optimizer": torch.optim.SGD(groups, lr=0.05, momentum=0.9),
        "opt": torch.optim.SGD(groups, lr=0.05, momentum=0.9),
        "loss_fn": nn.MSELoss(),
        "criterion": nn.MSELoss(),
        "loader": batches[:1],
        "dataloader": [{"inputs": inputs, "labels": labels} for inputs, labels in batches],
        "T_0": 3,
        "T_mult": 2,
        "train": train,
        "train_batch": train,
        "validate": validate,
    }


def _torch_with_data(batches: list[Any]) -> SimpleNamespace:
    """Return torch with a DataLoader that takes `...` for its arguments."""
    data = SimpleNamespace(DataLoader=lambda _: batches)
    return SimpleNamespace(**{**vars(torch), "utils": SimpleNamespace(data=data)})
