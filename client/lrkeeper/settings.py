"""Where a client finds its server: keywords first, then the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal, cast

from lrkeeper.errors import NotConfigured

SERVER = "LRKEEPER_SERVER"
TOKEN = "LRKEEPER_TOKEN"  # noqa: S105 - the variable's name
RUN = "LRKEEPER_RUN"
MODE = "LRKEEPER_MODE"
INCARNATION = "LRKEEPER_INCARNATION"
ON_EXISTING = "LRKEEPER_ON_EXISTING"
ON_RESUME = "LRKEEPER_ON_RESUME"
HORIZON = "LRKEEPER_HORIZON"
ON_OUTAGE = "LRKEEPER_ON_OUTAGE"
SYNC = "LRKEEPER_SYNC"

Mode = Literal["on", "off"]


@dataclass(frozen=True)
class Settings:
    """A server's address, and whether there is one at all."""

    server: str
    mode: Mode = "on"

    @classmethod
    def find(cls, server: str | None = None, mode: str | None = None) -> Settings:
        """Return the settings of keywords and environment. Raises NotConfigured."""
        mode = mode or os.environ.get(MODE) or "on"
        if mode not in ("on", "off"):
            raise NotConfigured(f"{MODE} is {mode!r}; it must be 'on' or 'off'")
        server = server or os.environ.get(SERVER) or ""
        if mode == "on" and not server:
            raise NotConfigured(
                f"no lrkeeper server is named: set {SERVER} to its host:port (`lrkeeper serve` prints it), "
                f"or pass server=; {MODE}=off runs without a server"
            )
        return cls(server, cast(Mode, mode))
