"""How a scheduler uses its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from lrkeeper.settings import Settings
from lrkeeper.views import OnExisting

Counts = Literal["every_call", "after_optimizer_step"]
OnMissing = Literal["error", "create"]
OnLocalChange = Literal["adopt", "overwrite"]


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
    on_missing: OnMissing = "error"
    max_stall: float = 300.0
    on_local_change: OnLocalChange = "overwrite"
    parameters: Mapping[str, float] = field(default_factory=dict)
    counts: Counts = "every_call"

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("on_existing", self.on_existing, get_args(OnExisting)),
            ("on_missing", self.on_missing, get_args(OnMissing)),
            ("on_local_change", self.on_local_change, get_args(OnLocalChange)),
            ("counts", self.counts, get_args(Counts)),
        ):
            if value not in choices:
                raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, choices))}")

    @property
    def settings(self) -> Settings:
        """Where the server is. Raises NotConfigured."""
        return Settings.find(self.server, self.mode)
