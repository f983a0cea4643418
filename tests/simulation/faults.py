"""The faults there are, how likely each is in a seed, and how often each has fired."""

from __future__ import annotations

from collections import Counter
from random import Random

# For each fault: how likely it is where it may happen, in a seed that has it.
RATES = {
    # messages
    "request_lost": 0.06,
    "answer_lost": 0.06,
    "request_duplicated": 0.1,
    "message_late": 0.08,
    "message_reordered": 0.25,
    "rank_cut_off": 0.01,
    # the database
    "crash_before_commit": 0.01,
    "crash_after_commit": 0.01,
    "commit_unknown_done": 0.02,
    "commit_unknown_undone": 0.02,
    "sql_error": 0.04,
    "sql_error_lasting": 0.02,
    "neighbour_fails": 0.0,  # counted where one of the two above hits a batch of several
    "database_unavailable": 0.01,
    # what follows happens a few times in a seed, as a scenario's turns
    "database_restored": 0.6,
    "restored_by_hand": 0.3,
    "server_crash": 1.0,
    "two_servers": 0.5,
    "clock_jump": 1.0,
    "rank_crash": 1.0,
    "preemption": 1.0,
    "older_checkpoint": 0.3,
    "no_checkpoint": 0.15,
    "rank_paused": 1.0,
    "paused_past_takeover": 1.0,
    "rank_silent": 0.5,
    "world_size_change": 0.4,
    "rank_differs": 0.1,
    "same_name_twice": 0.3,
    "edit": 1.0,
    "edit_at_step": 0.4,
    "edit_not_after_step": 0.2,
    "edit_repeated": 0.25,
    "edit_id_reused": 0.1,
    "edit_stale_revision": 0.15,
    "schedule_update": 1.0,
    "rollback": 1.0,
    "rollback_repeated": 0.3,
    "metric_differs": 0.5,
    "value_adopted": 0.08,
    "groups_added": 0.5,
    "small_blocks": 0.3,
}


class Faults:
    """The faults of one seed: some of them, each as likely as in its row, a few times more, or less."""

    def __init__(self, random: Random, only: frozenset[str] | None = None) -> None:
        self._random = random
        self.fired: Counter[str] = Counter()
        self.on = True
        calm = random.random() < 0.05
        self.rates = {
            name: rate * random.choice((0.3, 1.0, 1.0, 2.0))
            for name, rate in RATES.items()
            if (random.random() < 0.6 and not calm if only is None else name in only)
        }

    def fires(self, name: str) -> bool:
        """Return whether a fault happens here and now, and count it."""
        return self.may(name) and self.note(name)

    def may(self, name: str) -> bool:
        """Return whether a fault happens here and now, if it can; `note` then counts it."""
        return self.on and self._random.random() < self.rates.get(name, 0.0)

    def note(self, name: str) -> bool:
        """Count a fault that has happened."""
        assert name in RATES
        self.fired[name] += 1
        return True
