"""A durable next-lr against an echo of the same process: `python -m benchmarks.next_lr`.

64 callers in a process of their own. In odd rounds each asks NextLr for the next step of a run of its
own, so that every answer is a new block, committed to SQLite with synchronous=FULL before it is sent. In
even rounds each calls an echo method of the same server, loop and port, with messages of the same sizes,
without log, error mapping or database. What counts is the ratio within one run.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc

from lrkeeper import messages, views
from lrkeeper.schedules import StepLR
from lrkeeper.server import logs
from lrkeeper.server.app import Server, settle_garbage
from lrkeeper.server.storage.engine import make_engine, parse_url, prepare_schema
from lrkeeper.server.storage.sql import SqlStorage
from lrkeeper.v1 import run_service_pb2 as pb

_ECHO = "/benchmark.Echo/Echo"
_NEXT_LR = "/lrkeeper.v1.RunService/NextLr"


@dataclass(frozen=True)
class Round:
    """What the callers did in one round."""

    answered: int
    seconds: float
    latencies: list[float]

    @property
    def rate(self) -> float:
        return self.answered / self.seconds


def serve(database: Path, ready: Connection) -> None:
    """Run the server, with the echo beside its services."""
    with Path(f"{database}.log").open("w") as log:
        os.dup2(log.fileno(), 2)
    logs.configure()
    engine = make_engine(parse_url(f"sqlite:///{database}"))
    prepare_schema(engine)
    storage = SqlStorage(engine)
    settle_garbage()

    async def run() -> None:
        response: list[pb.NextLrResponse] = []

        async def echo(_request: pb.NextLrRequest, _context: Any) -> pb.NextLrResponse:
            if not response:
                response.append(_like_an_answer())
            return response[0]

        handler = grpc.unary_unary_rpc_method_handler(
            echo, pb.NextLrRequest.FromString, pb.NextLrResponse.SerializeToString
        )
        server = Server(storage, [grpc.method_handlers_generic_handler("benchmark.Echo", {"Echo": handler})])
        ready.send(await server.start("127.0.0.1:0"))
        await asyncio.get_running_loop().run_in_executor(None, ready.recv)
        await server.stop()

    asyncio.run(run())
    storage.close()


def _like_an_answer() -> pb.NextLrResponse:
    """Return a message of the size that NextLr answers with in this benchmark."""
    from lrkeeper.schedules.table import Table

    values = Table.from_rows(1000, [{"lr": (0.1,)}]).to_message()
    return pb.NextLrResponse(
        values=values, revision=1, frontier=1001, cursor='[999,999,{"lr":[0.1]}]', cursor_step=999
    )


def drive(address: str, callers: int, commands: Connection) -> None:
    """Run rounds of calls as they are asked for."""
    asyncio.run(_drive(address, callers, commands))


async def _drive(address: str, callers: int, commands: Connection) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        next_lr = channel.unary_unary(
            _NEXT_LR, pb.NextLrRequest.SerializeToString, pb.NextLrResponse.FromString
        )
        echo = channel.unary_unary(_ECHO, pb.NextLrRequest.SerializeToString, pb.NextLrResponse.FromString)
        acquire = channel.unary_unary(
            "/lrkeeper.v1.RunService/AcquireRun",
            pb.AcquireRunRequest.SerializeToString,
            pb.AcquireRunResponse.FromString,
        )
        steps = [0] * callers
        requests = [await _opened(acquire, i) for i in range(callers)]

        async def step(i: int) -> None:
            request = requests[i]
            request.from_step, request.applied_step = steps[i] + 1, steps[i]
            answer = await next_lr(request)
            assert answer.values.first_step == steps[i] + 1
            assert answer.values.count == 1
            steps[i] += 1

        async def call_echo(i: int) -> None:
            await echo(requests[i])

        kinds: dict[str, Callable[[int], Awaitable[None]]] = {"next_lr": step, "echo": call_echo}
        while (command := commands.recv()) is not None:
            kind, seconds = command
            commands.send(await _round(kinds[kind], callers, seconds))


async def _opened(acquire: Any, i: int) -> pb.NextLrRequest:
    group = views.Group(None, "float64", {"lr": 0.1}, {"lr": 0.1})
    start = views.Start(f"run-{i}", "benchmark", (group,), StepLR(step_size=30, gamma=0.5))
    place = await acquire(messages.acquire_request(start))
    return pb.NextLrRequest(
        run_uid=place.run_uid,
        store_epoch=place.store_epoch,
        fence=place.fence,
        branch=place.branch,
        incarnation="benchmark",
        count=1,
        revision=place.revision,
    )


async def _round(call: Callable[[int], Awaitable[None]], callers: int, seconds: float) -> Round:
    latencies: list[float] = []
    started = time.perf_counter()
    end = started + seconds

    async def caller(i: int) -> None:
        now = time.perf_counter()
        while now < end:
            await call(i)
            before, now = now, time.perf_counter()
            latencies.append(now - before)

    await asyncio.gather(*(caller(i) for i in range(callers)))
    return Round(len(latencies), time.perf_counter() - started, latencies)


def fsync_milliseconds(folder: Path) -> tuple[float, float]:
    """Return median and 90th percentile of writing and syncing 8 KiB to a file there."""
    times = []
    descriptor = os.open(folder / "fsync-probe", os.O_CREAT | os.O_WRONLY)
    for _ in range(200):
        os.write(descriptor, b"x" * 8192)
        started = time.perf_counter()
        os.fdatasync(descriptor)
        times.append((time.perf_counter() - started) * 1000)
    os.close(descriptor)
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.9)]


def main() -> None:
    """Run the benchmark and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--callers", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=20, help="pairs of rounds")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of a round")
    parser.add_argument(
        "--folder", type=Path, help="where the database lies: a real disk (default: a temporary folder)"
    )
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        median, slow = fsync_milliseconds(folder)
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
            f"grpcio {grpc.__version__}"
        )
        print(
            f"database on {_filesystem(folder)}; fdatasync of 8 KiB: median {median:.2f} ms, p90 {slow:.2f} ms"
        )
        ours, theirs = context.Pipe()
        server = context.Process(target=serve, args=(folder / "runs.sqlite3", theirs))
        server.start()
        address = ours.recv()
        to_driver, commands = context.Pipe()
        driver = context.Process(target=drive, args=(address, options.callers, commands))
        driver.start()

        def run(kind: str, seconds: float) -> Round:
            to_driver.send((kind, seconds))
            found: Round = to_driver.recv()
            return found

        answered = run("next_lr", 1.0).answered
        run("echo", 1.0)
        ratios = []
        print(f"{options.callers} callers; rounds of {options.seconds} s, in turn")
        print(
            f"{'round':>5} {'next_lr/s':>10} {'p50 ms':>8} {'p99 ms':>8} "
            f"{'echo/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'ratio':>6}"
        )
        for i in range(options.rounds):
            durable, plain = run("next_lr", options.seconds), run("echo", options.seconds)
            answered += durable.answered
            ratios.append(durable.rate / plain.rate)
            print(f"{i + 1:>5} {_figures(durable)} {_figures(plain)} {ratios[-1]:>6.2f}", flush=True)
        to_driver.send(None)
        driver.join()
        ours.send(None)
        server.join()
        with sqlite3.connect(folder / "runs.sqlite3") as connection:
            (rows,) = connection.execute("SELECT sum(count) FROM blocks").fetchone()
        print(
            f"rows committed {rows}, requests answered {answered}: {'equal' if rows == answered else 'DIFFERENT'}"
        )
        print(
            f"next_lr / echo: median {statistics.median(ratios):.2f} (min {min(ratios):.2f}, max {max(ratios):.2f})"
        )
        if rows != answered:
            raise SystemExit(1)


def _figures(found: Round) -> str:
    ordered = sorted(found.latencies)
    p50, p99 = ordered[len(ordered) // 2] * 1000, ordered[int(len(ordered) * 0.99)] * 1000
    return f"{found.rate:>10.0f} {p50:>8.2f} {p99:>8.2f}"


def _filesystem(folder: Path) -> str:
    best, kind = "", "unknown"
    for line in Path("/proc/mounts").read_text().splitlines():
        _, mount, found, *_ = line.split()
        if str(folder).startswith(mount) and len(mount) > len(best):
            best, kind = mount, found
    return kind


if __name__ == "__main__":
    main()
