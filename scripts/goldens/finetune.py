"""A fine-tune that prints the lr of each step: with transformers' scheduler, or with lrkeeper's of the same arguments.

`python -m scripts.goldens.finetune transformers NAME` needs transformers, `… lrkeeper NAME` a server (LRKEEPER_SERVER).
"""

from __future__ import annotations

import sys
from typing import Any

import torch

WARMUP, STEPS, LR = 6, 60, 5e-5
NAMES: dict[str, dict[str, Any]] = {
    "linear": {},
    "cosine": {},
    "cosine_with_restarts": {"num_cycles": 3},
    "polynomial": {"power": 2.0, "lr_end": 1e-7},
    "constant_with_warmup": {},
    "inverse_sqrt": {},
    "warmup_stable_decay": {"num_decay_steps": 12, "num_stable_steps": 42},
}


def scheduler_of(by: str, name: str, optimizer: torch.optim.Optimizer) -> Any:
    """Return the scheduler: the one line that differs."""
    rest = NAMES[name]
    if by == "transformers":
        from transformers import get_scheduler

        return get_scheduler(name, optimizer, WARMUP, STEPS, scheduler_specific_kwargs=rest)
    from lrkeeper import RemoteLR
    from lrkeeper import schedules as S

    return RemoteLR(
        optimizer, S.from_hf(name, num_warmup_steps=WARMUP, num_training_steps=STEPS, lr=LR, **rest)
    )


def main() -> None:
    """Train, and print a line for each step."""
    by, name = sys.argv[1:]
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR)
    scheduler = scheduler_of(by, name, optimizer)
    inputs, labels = torch.randn(64, 8), torch.randint(0, 2, (64,))
    for step in range(STEPS + 4):
        loss = torch.nn.functional.cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        print(f"{step:>3} {optimizer.param_groups[0]['lr']:.12e}")
        optimizer.step()
        scheduler.step()


if __name__ == "__main__":
    main()
