"""What was written into an optimizer's param groups last, and what other code has made of it since."""

from __future__ import annotations

import warnings

from lrkeeper.torch import groups
from lrkeeper.torch.ticket import Ticket

_USERS = 5
"""The frame of the job's own code, from the methods that warn: a hold, and the scheduler's step, are in between."""


class Changes:
    """One scheduler's eye on the param groups.

    `written` is what they held after the last write; None: nobody knows, and whatever they hold is right.
    """

    def __init__(self) -> None:
        self.written: groups.Held | None = None
        self.too_late = False
        """Whether one came at a step that is committed already."""

    def seen(self, now: groups.Held) -> groups.Held | None:
        """Return what the groups hold now, if another hand has written them since."""
        if self.written is None or groups.same_bits(now, self.written):
            return None
        return now

    def added(self, now: groups.Held) -> None:
        """Note what groups hold that have been added behind the others."""
        if self.written is not None:
            self.written = {track: (*own, *now[track][len(own) :]) for track, own in self.written.items()}

    def overrule(self, now: groups.Held) -> None:
        """Warn of each number that another hand has written: the run's values will overwrite it."""
        written, self.written = self.written, None
        if written is None or groups.same_bits(now, written):
            return
        for track, held in now.items():
            for place, (ours, theirs) in enumerate(zip(written[track], held, strict=False)):
                if ours != theirs:
                    warnings.warn(
                        f"the {track} of param group {place} was changed from {ours!r} to {theirs!r} by other "
                        "code; the run's values overwrite it. To change a live run use "
                        "`lrkeeper run set-schedule`",
                        UserWarning,
                        stacklevel=_USERS,
                    )

    def tell_too_late(self, now: groups.Held, ticket: Ticket, row: groups.Held) -> None:
        """Warn if a change came too late, and torch's own value, which follows from it, is not the run's."""
        late, self.too_late = self.too_late, False
        if late and not groups.same_bits(now, row):
            warnings.warn(
                f"other code has changed the param groups before step {ticket.step} of run "
                f"{ticket.place.run!r}, which has its values already; they overwrite the change",
                UserWarning,
                stacklevel=_USERS,
            )
