"""How a scheduler uses its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lrkeeper.settings import Settings
from lrkeeper.views import OnExisting


@dataclass(frozen=True)
class Options:
    """How a scheduler uses its run; see RemoteLR."""

    run: str | None = None
    unit: str = "step"
    labels: Mapping[str, str] = field(default_factory=dict)
    server: str | None = None
    mode: str | None = None
    incarnation: str | None = None
    attempt: int | None = None
    on_existing: OnExisting = "resume"
    on_missing: Literal["error", "create"] = "error"
    max_stall: float = 300.0

    @property
    def settings(self) -> Settings:
        """Where the server is. Raises NotConfigured."""
        return Settings.find(self.server, self.mode)
