"""A training job as users write it, and the demo's pipes: `python -m lrkeeper.cli.demo.trainer`.

Events go to stdout. stdin gives the server's address, and later a line that lets a trainer go on which
was told to wait; its end is the trainer's.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lrkeeper import RemoteLR
from lrkeeper.cli.demo.events import Epoch, Event, Step, to_line
from lrkeeper.cli.demo.plan import BASE_LR, EPOCHS, SCHEDULE

_BATCH = 100
_STALL_SECONDS = 60.0


def train(run: str, images: Path, checkpoint: Path, *, resume: bool, wait_at: int | None) -> None:
    """Train the network to the last epoch, from the checkpoint on if it shall resume.

    Waits for the server's address only after torch's first optimizer, which imports for seconds.
    """
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=BASE_LR, momentum=0.9)
    os.environ["LRKEEPER_SERVER"] = wait()
    data = Data(images)
    # Epochs of a tenth of a second: a window would hold them all before the operator's edit comes.
    scheduler = RemoteLR(optimizer, SCHEDULE, run=run, unit="epoch", horizon=0, max_stall=_STALL_SECONDS)
    if resume:
        state = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
    scheduler.get_last_lr()  # opens the run
    tell(Step(scheduler.last_epoch, lr_of(optimizer)))
    for epoch in range(scheduler.last_epoch, EPOCHS):
        lr = lr_of(optimizer)
        loss = train_one_epoch(model, optimizer, data, epoch)
        tell(Epoch(epoch, lr, loss, accuracy(model, data)))
        scheduler.step()
        tell(Step(epoch + 1, lr_of(optimizer)))
        if epoch + 1 == wait_at:
            wait()
        state = {
            "model": model.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
        }
        torch.save(state, checkpoint)
    scheduler.finish()


def network() -> nn.Sequential:
    """Return a small convolutional network for 8 × 8 images of ten kinds."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 10),
    )


class Data:
    """The images, of shape (n, 1, 8, 8) from 0 to 1, and their digits: four fifths are trained on."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as arrays:
            images = torch.from_numpy(arrays["images"]).float().unsqueeze(1) / 16
            digits = torch.from_numpy(arrays["digits"])
        unseen = torch.arange(len(digits)) % 5 == 0
        self.images, self.digits = images[~unseen], digits[~unseen]
        self.unseen_images, self.unseen_digits = images[unseen], digits[unseen]


def train_one_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, data: Data, epoch: int) -> float:
    """Train on every image once, in an order that the epoch decides; return the mean loss."""
    total = 0.0
    order = torch.randperm(len(data.digits), generator=torch.Generator().manual_seed(epoch))
    for first in range(0, len(order), _BATCH):
        batch = order[first : first + _BATCH]
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(data.images[batch]), data.digits[batch])
        loss.backward()  # type: ignore[no-untyped-call] # torch's
        optimizer.step()
        total += loss.item() * len(batch)
    return total / len(order)


@torch.no_grad()
def accuracy(model: nn.Module, data: Data) -> float:
    """Return the share of the unseen images that the network reads rightly."""
    read = model(data.unseen_images).argmax(dim=1)
    return float((read == data.unseen_digits).float().mean())


def lr_of(optimizer: torch.optim.Optimizer) -> float:
    """Return the lr that the optimizer uses."""
    lr: float = optimizer.param_groups[0]["lr"]
    return lr


def tell(event: Event) -> None:
    """Report to the demo."""
    print(to_line(event), flush=True)


def wait() -> str:
    """Return the demo's next line; end where there is no demo any more."""
    line = sys.stdin.readline()
    if not line:
        raise SystemExit("the demo has ended")
    return line.strip()


def main() -> None:
    """Train as the arguments say, once the demo gives the server's address."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--run", required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--wait-at", type=int, help="wait for a line once this step is committed")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    torch.set_num_threads(1)
    train(given.run, given.images, given.checkpoint, resume=given.resume, wait_at=given.wait_at)


if __name__ == "__main__":
    main()
