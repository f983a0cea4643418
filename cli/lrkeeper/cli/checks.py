"""What `lrkeeper doctor` looks at. Each check finds something, and says what to do if it is not right."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from lrkeeper.errors import LrkeeperError, NotConfigured

if TYPE_CHECKING:
    from lrkeeper.views import Server

_CLOSE = 5.0
_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")


@dataclass(frozen=True)
class Check:
    """What a check found. `advice` says what to do, and is empty where nothing is to be done."""

    check: str
    level: Literal["ok", "warning", "error"]
    found: str
    advice: str = ""


def checks(server: str | None, *, from_option: bool) -> Iterator[Check]:
    """Yield the checks one by one; those of the server only as far as it answers."""
    mode = _mode()
    yield mode
    if server:
        yield from _server(server, from_option)
    elif mode.found == "off":
        yield Check("server", "ok", "LRKEEPER_SERVER is not set, and LRKEEPER_MODE=off needs none")
    else:
        yield Check(
            "server",
            "error",
            "none is named",
            "set LRKEEPER_SERVER to its host:port (`lrkeeper serve` prints it)",
        )
    yield _token()
    yield from _launcher()


def _mode() -> Check:
    from lrkeeper.settings import MODE, Settings

    try:
        mode = Settings.find("any").mode
    except NotConfigured as error:
        return Check("mode", "error", str(error), f"unset {MODE}, or set it to one of these")
    if mode == "off":
        return Check(
            "mode",
            "warning",
            "off",
            f"jobs evaluate their schedules themselves and ask no server; unset {MODE} to change that",
        )
    return Check("mode", "ok", "on: jobs take their values from the server")


def _server(server: str, from_option: bool) -> Iterator[Check]:
    from lrkeeper import Client

    with Client(server) as client:
        before, started = datetime.now(UTC), time.perf_counter()
        try:
            found = client.get_server()
        except LrkeeperError as error:
            yield Check("server", "error", str(error), _unreachable())
            return
        took = time.perf_counter() - started
    yield Check(
        "server",
        "warning" if from_option else "ok",
        f"{server} answers, within {took * 1000:.0f} ms; it keeps its data in {found.database}",
        "jobs do not see --server: set LRKEEPER_SERVER for them" if from_option else "",
    )
    yield _version(found)
    yield _evaluator(found)
    yield _fingerprint(found)
    yield _clock(found, before, took)


def _unreachable() -> str:
    advice = "see that it runs (`lrkeeper serve`) and that the address and the network are right"
    proxies = [name for name in _PROXIES if os.environ.get(name)]
    if proxies:
        advice += f"; {proxies[0]} is set, and gRPC goes through it: name the server in no_proxy"
    return advice


def _version(found: Server) -> Check:
    from lrkeeper import __version__

    if found.version == __version__:
        return Check("version", "ok", f"{__version__}, here and at the server")
    return Check(
        "version",
        "warning",
        f"{__version__} here, {found.version} at the server",
        "install the same version on both sides",
    )


def _evaluator(found: Server) -> Check:
    from lrkeeper.schedules.cursor import EVALUATOR_VERSION

    if found.evaluator_version == EVALUATOR_VERSION:
        return Check("evaluator", "ok", f"version {EVALUATOR_VERSION}, here and at the server")
    return Check(
        "evaluator",
        "warning",
        f"version {EVALUATOR_VERSION} here, {found.evaluator_version} at the server",
        "runs have the server's values; what is evaluated here (LRKEEPER_MODE=off, `schedule preview FILE`) "
        "may differ: install the same version of lrkeeper",
    )


def _fingerprint(found: Server) -> Check:
    from lrkeeper.schedules.fingerprint import math_fingerprint

    here = math_fingerprint()
    if found.math_fingerprint == here:
        return Check("math", "ok", f"fingerprint {here}, here and at the server: the same bits")
    return Check(
        "math",
        "warning",
        f"fingerprint {here} here, {found.math_fingerprint} at the server",
        "runs have the server's bits; what is evaluated here (LRKEEPER_MODE=off, `schedule preview FILE`) "
        "may differ in the last digit: use the same C library",
    )


def _clock(found: Server, before: datetime, took: float) -> Check:
    difference = (found.time - before).total_seconds() - took / 2
    if abs(difference) <= _CLOSE + took / 2:
        return Check("clock", "ok", f"{abs(difference):.1f} s from the server's")
    return Check(
        "clock",
        "warning",
        f"the server's is {abs(difference):.1f} s {'ahead' if difference > 0 else 'behind'}",
        "values do not depend on it, the times that are shown do: let both follow NTP",
    )


def _token() -> Check:
    from lrkeeper.settings import TOKEN

    if not os.environ.get(TOKEN):
        return Check("token", "ok", f"{TOKEN} is not set; servers of this version ask for none")
    return Check(
        "token",
        "warning",
        f"{TOKEN} is set, but this version sends none, and its servers ask for none",
        "it protects nothing: keep the server where only trusted machines reach it",
    )


def _launcher() -> Iterator[Check]:
    try:
        from lrkeeper.torch import launch
    except ImportError:
        yield Check(
            "torch",
            "warning",
            "not installed: no job can train here, an operator needs none",
            "pip install 'lrkeeper[torch]' where jobs run",
        )
        return
    except OSError as error:
        yield Check("torch", "error", f"cannot be loaded: {error}", "install it anew")
        return
    try:
        rank, size = launch.world()
    except ValueError:
        given = ", ".join(f"{name}={os.environ.get(name)!r}" for name in ("RANK", "WORLD_SIZE"))
        yield Check("launcher", "error", given, "set both to whole numbers, or neither")
        return
    launcher = launch.labels().get("launcher", "none that lrkeeper knows")
    yield Check("launcher", "ok", f"{launcher}; rank {rank} of {size}")
    yield _incarnation(size)


def _incarnation(size: int) -> Check:
    from lrkeeper.settings import INCARNATION
    from lrkeeper.torch import launch

    if os.environ.get(INCARNATION):
        return Check("incarnation", "ok", f"given by {INCARNATION}; every start of a job needs another")
    if size == 1:
        return Check("incarnation", "ok", "made up at every start")
    try:
        launch.incarnation(None)
    except NotConfigured as error:
        return Check("incarnation", "warning", "not known outside the job", str(error))
    return Check("incarnation", "ok", "agreed through the process group")
