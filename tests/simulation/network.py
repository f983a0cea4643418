"""Between clients and servers: messages are lost, late, out of order, or come twice."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tests.simulation.loop import process
from tests.simulation.recorded import answer_facts, received_facts, request_facts
from tests.simulation.server import Refused, Unanswered

if TYPE_CHECKING:
    from tests.simulation.world import World


class Network:
    """Calls from clients to whichever server is there."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._count = 0
        self.cut_off: set[str] = set()
        """Clients that reach no server."""

    async def call(self, client: str, method: str, request: Any, deadline: float = 10.0) -> Any:
        """Return the answer. Raises Refused, or Unanswered where none came in time."""
        world = self._world
        self._count += 1
        message = f"m{self._count}"
        world.history.note(
            "call", message=message, client=client, method=method, **request_facts(method, request)
        )
        answer: asyncio.Future[Any] = world.loop.create_future()
        data = request.SerializeToString()
        parse = type(request).FromString
        self._send(client, message, method, parse, data, answer, world.faults.fires("request_lost"))
        if world.faults.fires("request_duplicated"):
            again = world.random.choice((0.0, 0.01, 1.0, 30.0, 3600.0))
            world.loop.call_later(again, self._send, client, message, method, parse, data, answer, False)
        timer = world.loop.call_later(deadline, _give_up, answer)
        try:
            found, place = await answer
        except (Refused, Unanswered) as error:
            reason = error.reason if isinstance(error, Refused) else None
            world.history.note("refused" if reason else "unanswered", message=message, reason=reason)
            raise
        finally:
            timer.cancel()
        world.history.note("returned", message=message, answer=place, **received_facts(method, found))
        return found

    def _send(
        self,
        client: str,
        message: str,
        method: str,
        parse: Any,
        data: bytes,
        answer: asyncio.Future[Any],
        lost: bool,
    ) -> None:
        if lost or client in self.cut_off:
            return
        self._world.loop.call_later(self._delay(), self._arrive, message, method, parse, data, answer)

    def _delay(self) -> float:
        world = self._world
        if world.faults.fires("message_late"):
            return world.random.choice((3.0, 12.0, 70.0, 300.0))
        if world.faults.fires("message_reordered"):
            return world.random.uniform(0.01, 1.0)
        return 0.001

    def _arrive(
        self, message: str, method: str, parse: Any, data: bytes, answer: asyncio.Future[Any]
    ) -> None:
        server = self._world.some_server()
        if server is None:
            self._world.loop.call_later(0.001, _fail, answer, Refused("Unreachable", "no server", {}))
            return
        work = self._serve(server, message, method, parse(data), answer)
        self._world.loop.create_task(work, context=process(server.name))

    async def _serve(
        self, server: Any, message: str, method: str, request: Any, answer: asyncio.Future[Any]
    ) -> None:
        world, history = self._world, self._world.history
        history.note("arrived", message=message, server=server.name, clock=world.clock())
        found: Any
        try:
            found = await server.handle(message, method, request)
        except Refused as error:
            found = error
        if not server.alive:
            return
        if isinstance(found, Refused):
            place = history.note("answered", message=message, server=server.name, reason=found.reason)
        else:
            place = history.note(
                "answered", message=message, server=server.name, reason=None, **answer_facts(method, found)
            )
        if not world.faults.fires("answer_lost"):
            world.loop.call_later(self._delay(), _give, answer, found, place)


def _give(answer: asyncio.Future[Any], found: Any, place: int) -> None:
    """Give a client what came; `place` is where the history has it as answered, once of several times."""
    if isinstance(found, Refused):
        _fail(answer, found)
    elif not answer.done():
        answer.set_result((found, place))


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)


def _give_up(answer: asyncio.Future[Any]) -> None:
    _fail(answer, Unanswered())
