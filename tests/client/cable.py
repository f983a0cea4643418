"""A cable between a client and a server, that can be cut so that neither end notices."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Cable:
    """Passes bytes on, in both directions."""

    def __init__(self, upstream: str) -> None:
        host, _, port = upstream.rpartition(":")
        self._upstream = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._ends: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self.join_after = 0.0
        """For how many seconds a new connection carries nothing, from either end."""
        self._lock = threading.Lock()
        self._open = True
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    def cut(self) -> None:
        """Carry nothing more on the connections there are: they stay open. New ones work."""
        with self._lock:
            for end in self._ends:
                self._selector.unregister(end)
            self._dead = list(self._ends)
            self._ends.clear()

    def close(self) -> None:
        self._open = False
        self._wake.send(b"x")
        self._thread.join()
        for end in (*self._ends, *getattr(self, "_dead", ()), self._listener, self._wake, self._woken):
            end.close()
        self._selector.close()

    def _carry(self) -> None:
        while self._open:
            for key, _ in self._selector.select():
                with self._lock:
                    if key.fileobj is self._listener:
                        self._join()
                    elif key.fileobj in self._ends:
                        assert isinstance(key.fileobj, socket.socket)
                        self._pass_on(key.fileobj)

    def _join(self) -> None:
        near, _ = self._listener.accept()
        time.sleep(self.join_after)
        far = socket.create_connection(self._upstream)
        self._ends |= {near: far, far: near}
        for end in (near, far):
            self._selector.register(end, selectors.EVENT_READ)

    def _pass_on(self, end: socket.socket) -> None:
        other = self._ends[end]
        data = b""
        with suppress(ConnectionError):
            data = end.recv(65536)
            other.sendall(data)
        if not data:
            for one in (end, other):
                self._selector.unregister(one)
                del self._ends[one]
                one.close()


@contextmanager
def cable_to(upstream: str) -> Iterator[Cable]:
    """Lay a cable to an address; it has an address of its own."""
    cable = Cable(upstream)
    try:
        yield cable
    finally:
        cable.close()
