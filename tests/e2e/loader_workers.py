"""A job that forks four loader workers every epoch: `python -m tests.e2e.loader_workers KIND EPOCHS`.

With `remote`, its lr comes from a server, and a thread makes calls all the time. It prints each epoch's lr.
"""

from __future__ import annotations

import sys
import threading
import time
import warnings

import torch
from torch.utils.data import DataLoader, TensorDataset

from lrkeeper import Client, RemoteLR
from lrkeeper import schedules as S


def main(kind: str, epochs: int) -> None:
    """Train, and see that the thread's calls all came back."""
    warnings.filterwarnings("ignore", "This DataLoader will create")  # more workers than processors
    loader = DataLoader(
        TensorDataset(torch.ones(16, 2)), batch_size=4, num_workers=4, multiprocessing_context="fork"
    )
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    done = threading.Event()
    calls = 0

    def call() -> None:
        nonlocal calls
        with Client(patience=30) as client:
            while not done.is_set():
                client.get_server()
                calls += 1

    scheduler: torch.optim.lr_scheduler.LRScheduler
    thread = threading.Thread(target=call)
    if kind == "remote":
        scheduler = RemoteLR(optimizer, S.StepLR(10, gamma=0.5))
        thread.start()
    else:
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10, gamma=0.5)
    for _ in range(epochs):
        before = calls
        for (batch,) in loader:
            optimizer.zero_grad()
            model(batch).sum().backward()
            optimizer.step()
        scheduler.step()
        print(scheduler.get_last_lr())
        while thread.is_alive() and calls == before:
            time.sleep(0.001)
    done.set()
    if kind == "remote":
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
