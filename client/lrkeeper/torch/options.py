"""How a scheduler uses its run."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from lrkeeper.settings import HORIZON, ON_EXISTING, ON_OUTAGE, ON_RESUME, SYNC, Settings
from lrkeeper.views import OnExisting, OnResume

Counts = Literal["every_call", "after_optimizer_step"]
OnMissing = Literal["error", "create"]
OnLocalChange = Literal["adopt", "overwrite"]
OnOutage = Literal["auto", "wait", "hold", "forecast"]
Sync = Literal["each", "broadcast"]

DEFAULT_HORIZON = 30.0


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
    on_existing: OnExisting | None = None
    on_missing: OnMissing = "error"
    max_stall: float = 300.0
    on_local_change: OnLocalChange = "overwrite"
    parameters: Mapping[str, float] = field(default_factory=dict)
    horizon: float | None = None
    on_outage: OnOutage | None = None
    sync: Sync | None = None
    on_resume: OnResume | None = None
    counts: Counts = "every_call"

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("on_existing" if self.on_existing else ON_EXISTING, self.existing, get_args(OnExisting)),
            ("on_resume" if self.on_resume else ON_RESUME, self.resume, get_args(OnResume)),
            ("on_missing", self.on_missing, get_args(OnMissing)),
            ("on_local_change", self.on_local_change, get_args(OnLocalChange)),
            ("on_outage" if self.on_outage else ON_OUTAGE, self.outage, get_args(OnOutage)),
            ("sync" if self.sync else SYNC, self.synchronised, get_args(Sync)),
            ("counts", self.counts, get_args(Counts)),
        ):
            if value not in choices:
                raise ValueError(f"{name} is {value!r}; it must be one of {', '.join(map(repr, choices))}")
        if not 0 <= self.seconds_ahead < math.inf:
            name = HORIZON if self.horizon is None else "horizon"
            raise ValueError(f"{name} is {self.seconds_ahead}; it must be 0 seconds or more")

    @property
    def seconds_ahead(self) -> float:
        """How many seconds of values to hold. Raises ValueError."""
        if self.horizon is not None:
            return self.horizon
        text = os.environ.get(HORIZON) or str(DEFAULT_HORIZON)
        try:
            return float(text)
        except ValueError as error:
            raise ValueError(f"{HORIZON} is {text!r}; it must be a number of seconds") from error

    @property
    def existing(self) -> OnExisting:
        """What to do, without a checkpoint, with a run that exists."""
        return self.on_existing or cast(OnExisting, os.environ.get(ON_EXISTING) or "resume")

    @property
    def resume(self) -> OnResume:
        """What to do with a checkpoint."""
        return self.on_resume or cast(OnResume, os.environ.get(ON_RESUME) or "exact")

    @property
    def outage(self) -> str:
        """What to do when the window runs out and no server can be reached."""
        return self.on_outage or os.environ.get(ON_OUTAGE) or "auto"

    @property
    def synchronised(self) -> str:
        """Whether each rank asks, or rank 0 for all."""
        return self.sync or os.environ.get(SYNC) or "each"

    @property
    def settings(self) -> Settings:
        """Where the server is. Raises NotConfigured."""
        return Settings.find(self.server, self.mode)
