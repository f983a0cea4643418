"""A server that is looked at closely: what it refuses must leave no trace in its database."""

from __future__ import annotations

from collections.abc import Callable

from lrkeeper import Client
from lrkeeper.errors import DOMAIN, REASONS
from tests.protocol import jobs
from tests.protocol.stored import contents
from tests.protocol.wire import Refusal, Wire, refusal
from tests.support.server import ServerProcess


class Watched:
    """A server with a run at step 3, and clients of it."""

    def __init__(self, server: ServerProcess, client: Client, wire: Wire) -> None:
        self.server = server
        self.client = client
        self.wire = wire
        self.place = jobs.stepped(client, jobs.begun(client), 3)
        self._step = 3

    @property
    def run(self) -> str:
        """The run's name."""
        return self.place.run

    def refuses(self, call: Callable[[], object]) -> Refusal:
        """Return what a call says that must be refused with a reason, and change nothing."""
        found = self.fails(call)
        assert found.domain == DOMAIN, found
        assert REASONS[found.reason].status == found.status
        return found

    def fails(self, call: Callable[[], object]) -> Refusal:
        """Return what a call says that must fail in whatever way, and change nothing."""
        before = contents(self.server)
        found = refusal(call)
        assert contents(self.server) == before
        self._goes_on()
        return found

    def _goes_on(self) -> None:
        """See that the next good request works."""
        self._step += 1
        window = jobs.ask(self.client, self.place, self._step)
        assert jobs.bits(window.table) == [((0.1 * 0.5**self._step).hex(),)]
