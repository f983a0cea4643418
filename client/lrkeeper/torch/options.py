"""How a scheduler uses its run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from lrkeeper.settings import ON_EXISTING, ON_RESUME, Settings
from lrkeeper.views import OnExisting, OnResume

OnMissing = Literal["error", "create"]
OnLocalChange = Literal["adopt", "overwrite"]


_VARIABLES = {"on_existing": ON_EXISTING, "on_resume": ON_RESUME}


def on_existing(given: OnExisting | None) -> OnExisting:
    """Return what was given, or else the environment's choice, which `Options` checks."""
    return given or _from_environment(ON_EXISTING) or "resume"


def on_resume(given: OnResume | None) -> OnResume:
    """Return what was given, or else the environment's choice, which `Options` checks."""
    return given or _from_environment(ON_RESUME) or "exact"


def _from_environment(variable: str) -> Any:
    return os.environ.get(variable)


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
    on_existing: OnExisting = field(default_factory=lambda: on_existing(None))
    on_missing: OnMissing = "error"
    max_stall: float = 300.0
    on_local_change: OnLocalChange = "overwrite"
    parameters: Mapping[str, float] = field(default_factory=dict)
    on_resume: OnResume = field(default_factory=lambda: on_resume(None))

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("on_existing", self.on_existing, get_args(OnExisting)),
            ("on_resume", self.on_resume, get_args(OnResume)),
            ("on_missing", self.on_missing, get_args(OnMissing)),
            ("on_local_change", self.on_local_change, get_args(OnLocalChange)),
        ):
            if value not in choices:
                variable = _VARIABLES.get(name)
                raise ValueError(
                    f"{name}{f' ({variable})' if variable else ''} is {value!r}; it must be one of "
                    f"{', '.join(map(repr, choices))}"
                )

    @property
    def settings(self) -> Settings:
        """Where the server is. Raises NotConfigured."""
        return Settings.find(self.server, self.mode)
