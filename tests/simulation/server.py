"""Servers of the simulation: the production servicers on the production storage, in processes that crash."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any

from lrkeeper.errors import ServerError
from lrkeeper.server.servicers.run_service import RunServicer
from lrkeeper.server.servicers.schedule_service import ScheduleServicer
from lrkeeper.server.usecases.keeper import Keeper
from lrkeeper.server.usecases.schedules import finish_roll_outs
from tests.simulation.loop import process
from tests.simulation.storage import REQUEST, open_storage

if TYPE_CHECKING:
    from tests.simulation.world import World

METHODS: dict[str, type[RunServicer] | type[ScheduleServicer]] = {
    "acquire_run": RunServicer,
    "next_lr": RunServicer,
    "edit_run": RunServicer,
    "rollback_run": RunServicer,
    "fork_run": RunServicer,
    "report_deviation": RunServicer,
    "get_run": RunServicer,
    "explain": RunServicer,
    "finish_run": RunServicer,
    "create_schedule": ScheduleServicer,
    "get_schedule": ScheduleServicer,
    "update_schedule": ScheduleServicer,
}


class Unanswered(Exception):
    """No answer came: the request may have been carried out, or not."""


class Refused(Exception):
    """The server answered with an error; `reason` is its class."""

    def __init__(self, reason: str, message: str, details: dict[str, str]) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason, self.details = reason, details


class Process:
    """One life of a server."""

    def __init__(self, world: World, name: str, *, with_writer: bool) -> None:
        self.name = name
        self._storage, self._gathering = open_storage(world, name, with_writer=with_writer)
        self._gathering.on_crash = self._crashed
        self._world = world
        self.alive = True
        keeper = Keeper(self._storage, world.nanoseconds)
        servicers: dict[Any, Any] = {kind: kind(keeper) for kind in (RunServicer, ScheduleServicer)}
        self._methods = {
            name: getattr(servicers[kind], name) for name, kind in METHODS.items() if hasattr(kind, name)
        }
        world.loop.create_task(self._boot(keeper), context=process(name))
        world.history.note("server_up", server=name, epoch=self._storage.epoch)

    async def _boot(self, keeper: Keeper) -> None:
        try:
            await finish_roll_outs(keeper)
        except ServerError as error:
            self._world.history.note("boot_failed", server=self.name, error=type(error).__name__)

    def crash(self) -> None:
        """End at once, with what was not committed."""
        self.alive = False
        self._gathering.close()
        self._world.history.note("server_down", server=self.name)

    def _crashed(self) -> None:
        self.crash()
        self._world.server_ended(self)

    async def handle(self, message: str, method: str, request: Any) -> Any:
        """Return the answer to a request. Raises Refused."""
        REQUEST.set(message)
        try:
            return await self._methods[method](request)
        except ServerError as error:
            raise Refused(type(error).__name__, str(error), error.details) from None
        except Exception as error:
            said = "".join(traceback.format_exception(error))
            self._world.history.note("fault", server=self.name, message=message, said=said)
            raise Refused("Internal", "internal error", {}) from None
