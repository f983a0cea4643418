"""sync="broadcast": rank 0 asks the server, and every answer goes to all ranks through torch.distributed.

Every call is a collective, made by all ranks at the same steps: they hold the same rows, so they run out of them at
the same step. Only rank 0 needs a way to the server.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import Message

from lrkeeper import errors, messages, views
from lrkeeper.channel import Channel
from lrkeeper.client import Client
from lrkeeper.torch.runs import Runs

R = TypeVar("R")

_FOUND, _REFUSED = 0, 1


class BroadcastClient(Client):
    """A client of which rank 0 makes the calls.

    Every method raises on all ranks what it raises on rank 0. `finish_run` is the exception: rank 0 makes the call
    alone, whoever asks.
    """

    def __init__(self, server: str) -> None:
        self._rank = torch.distributed.get_rank()
        self.alone: Client | None = Client(server) if self._rank == 0 else None
        self._address = server

    @property
    def server(self) -> str:
        """The server's address."""
        return self._address

    def close(self) -> None:
        """Close rank 0's connection."""
        if self.alone is not None:
            self.alone.close()

    def finish_run(self, run: str, *, fence: int | None = None) -> views.Run:
        """Mark a run finished; rank 0's to do."""
        if self.alone is None:
            raise errors.NotConfigured("rank 0 asks the server for all ranks: let it finish the run")
        return self.alone.finish_run(run, fence=fence)

    def share(self, produce: Callable[[], views.Window]) -> views.Window:
        """Return on all ranks the window that rank 0 makes."""
        found: list[views.Window] = []

        def made() -> bytes:
            found.append(produce())
            return messages.window_to_bytes(found[0])

        data = self._shared(made)
        return found[0] if found else messages.window_from_bytes(data)

    def agree(self, tell: Callable[[Client], bool]) -> bool:
        """Return on all ranks what rank 0 tells, who is given the client it asks with."""

        def told() -> bytes:
            assert self.alone is not None
            return b"\1" if tell(self.alone) else b""

        return bool(self._shared(told))

    def _call(
        self,
        method: Callable[[Channel], Callable[..., R]],
        request: Message,
        timeout: float | None = None,
        patience: float | None = None,
        *,
        quick: bool = False,
    ) -> R:
        answers: list[R] = []

        def made() -> bytes:
            assert self.alone is not None
            answer: Any = self.alone._call(method, request, timeout, patience, quick=quick)
            answers.append(answer)
            return b"\0".join((answer.DESCRIPTOR.full_name.encode(), answer.SerializeToString()))

        name, _, data = self._shared(made).partition(b"\0")
        if answers:
            return answers[0]
        kind = descriptor_pool.Default().FindMessageTypeByName(name.decode())
        return message_factory.GetMessageClass(kind).FromString(data)  # type: ignore[return-value]

    def _shared(self, produce: Callable[[], bytes]) -> bytes:
        """Return on all ranks what rank 0 makes; raise on all ranks what it raises."""
        raised: BaseException | None = None
        outcome, data = _FOUND, b""
        if self._rank == 0:
            try:
                data = produce()
            except BaseException as error:  # the others wait
                raised = error
                outcome, data = _REFUSED, _error_to_bytes(error)
        outcome, data = _broadcast(outcome, data)
        if raised is not None:
            raise raised
        if outcome == _REFUSED:
            raise _error_from_bytes(data)
        return data


def shares(runs: Runs) -> bool:
    """Return whether all ranks hold what rank 0 is given."""
    return isinstance(runs, BroadcastClient)


def asker(runs: Runs) -> Runs | None:
    """Return what asks in the background; None if this rank does not."""
    return runs.alone if isinstance(runs, BroadcastClient) else runs


def agreed(runs: Runs, tell: Callable[[Client], bool]) -> bool:
    """Return on all ranks what rank 0 tells, where that asks for all."""
    assert isinstance(runs, BroadcastClient)
    return runs.agree(tell)


def share(runs: Runs, produce: Callable[[], views.Window]) -> views.Window:
    """Return what `produce` does: on all ranks what rank 0's does, where that asks for all."""
    return runs.share(produce) if isinstance(runs, BroadcastClient) else produce()


def _broadcast(outcome: int, data: bytes) -> tuple[int, bytes]:
    """Return rank 0's outcome and data on all ranks."""
    device = _device()
    head = torch.tensor([outcome, len(data)], dtype=torch.int64, device=device)
    torch.distributed.broadcast(head, src=0)
    outcome, size = (int(value) for value in head.tolist())
    if not size:
        return outcome, b""
    body = torch.zeros(size, dtype=torch.uint8, device=device)
    if data:
        body = torch.frombuffer(bytearray(data), dtype=torch.uint8).to(device)
    torch.distributed.broadcast(body, src=0)
    return outcome, bytes(body.cpu().tolist())


def _device() -> torch.device:
    """Return where the process group's tensors are."""
    if torch.distributed.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def _error_to_bytes(error: BaseException) -> bytes:
    details = getattr(error, "details", {})
    return json.dumps([type(error).__name__, str(error), dict(details) if details else {}]).encode()


def _error_from_bytes(data: bytes) -> Exception:
    name, text, details = json.loads(data)
    found: Any = getattr(errors, name, None)
    if isinstance(found, type) and issubclass(found, errors.LrkeeperError):
        error: errors.LrkeeperError = found(text)
        error.details = details
        return error
    return errors.BadAnswer(f"rank 0 could not ask the server: {name}: {text}")
