"""What torch's own schedulers do: a step, and the moves their composites make with them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar, NamedTuple, Self, TypeAlias

from lrkeeper.schedules.given import NO_INPUTS, Inputs
from lrkeeper.schedules.numbers import NUMBERS, Real, Row, Steps, kind_name, number_name, of_kind, put
from lrkeeper.schedules.schedule import Memory, Schedule

SEMANTICS = "torch>=2.9"
"""The releases of torch that these bits are those of."""

PerGroup: TypeAlias = float | Sequence[float]
"""One number for each param group, or one for all of them."""

GroupKeys: TypeAlias = Mapping[str, PerGroup]
"""What torch's constructors leave in the param groups beside the values, and read there at every step."""


class Move(NamedTuple):
    """How a scheduler is moved: to the next step, or to `epoch`.

    `initial` is torch's `_initial_step()`; only a `counted` move raises its `_step_count`.
    """

    epoch: Steps | None = None
    initial: bool = False
    counted: bool = True


STEP = Move()
INITIAL = Move(initial=True)
RESTART = Move(epoch=0, counted=False)
"""torch's `_update_lr(0)`: what SequentialLR makes of a member at its milestone."""


class Built(NamedTuple):
    """What a torch constructor leaves: the memory, the groups' `initial_lr`, and the row."""

    memory: Memory
    initial: Row
    row: Row


class TorchSchedule(Schedule):
    """A schedule that follows a torch class bit for bit, also as a member of a torch composite.

    Where torch's `base_lrs` are not the run's (another scheduler's constructor has changed `initial_lr`
    before or since) the memory is `{"base_lrs": [[number, its kind], …], "memory": …}`. Where a member
    reads in the groups what another member's constructor wrote, and not what its own definition says, the
    composite's memory is `{"groups": {key: numbers}, "memory": …}`, with `"kinds": {key: names}` where some of
    the numbers are tensors; a definition read off a live scheduler has the groups' numbers already.
    """

    @abstractmethod
    def construct(self, initial: Row | None, now: Row, inputs: Inputs) -> Built:
        """Do what torch's constructor does on groups with this `initial_lr`; None: they have none yet."""

    @abstractmethod
    def move(self, memory: Any, base: Row, now: Row, inputs: Inputs, move: Move) -> tuple[Memory, Row]:
        """Return the memory and the row that a move leads to. Raises as `advance`."""

    def take_back(self, memory: Any) -> Memory:
        """Take back a construction, as SequentialLR does with every member (`recursive_undo`)."""
        return memory - 1

    def writes(self) -> GroupKeys:
        """Return the keys that torch's constructor sets in the groups and later reads there."""
        return {}

    def reading(self, keys: GroupKeys) -> Self:
        """Return the schedule as it is where the groups hold these keys, another's constructor's perhaps."""
        return self

    def start(self, base: Row, now: Row, inputs: Inputs = NO_INPUTS) -> tuple[Memory, Row]:
        built = self.construct(None if same_lrs(base, now) else base, now, inputs)
        keys = self.writes()
        if self.reading(keys) == self:
            return built.memory, built.row
        names = {key: [kind_name(value) for value in _all(values)] for key, values in keys.items()}
        kinds = {key: found for key, found in names.items() if any(found)}
        return {"groups": keys, **({"kinds": kinds} if kinds else {}), "memory": built.memory}, built.row

    def advance(self, memory: Any, base: Row, now: Row, inputs: Inputs) -> tuple[Memory, Row]:
        return self.go(memory, base, now, inputs, STEP)

    def to_epoch(self, memory: Any, base: Row, now: Row, epoch: float, inputs: Inputs) -> tuple[Memory, Row]:
        return self.go(memory, base, now, inputs, Move(int(epoch) if float(epoch).is_integer() else epoch))

    def go(self, memory: Any, base: Row, now: Row, inputs: Inputs, move: Move) -> tuple[Memory, Row]:
        """Move, with the base lrs and the groups' keys that the memory has, if any."""
        if not isinstance(memory, dict):
            return self.move(memory, base, now, inputs, move)
        if "base_lrs" in memory:
            base = {**base, "lr": tuple(NUMBERS[kind](value) for value, kind in memory["base_lrs"])}
        schedule = self.reading(_keys(memory)) if "groups" in memory else self
        moved, row = schedule.move(memory["memory"], base, now, inputs, move)
        return {**memory, "memory": moved}, row

    def undo(self, memory: Any) -> Memory:
        """Take back a construction, whosever base lrs it had."""
        if isinstance(memory, dict):
            return {**memory, "memory": self.take_back(memory["memory"])}
        return self.take_back(memory)


class EpochSchedule(TorchSchedule):
    """A schedule whose memory is torch's `last_epoch`, with torch's `get_lr()` and closed form."""

    fresh: ClassVar[Memory] = -1
    """The memory before torch's constructor makes its first step."""

    keeps_initial: ClassVar[bool] = False
    """Whether that first step leaves the lr as it is."""

    @abstractmethod
    def get_lr(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Iterable[float]:
        """Return torch's `get_lr()`; the very `now["lr"]` where nothing changes."""

    def get_momentum(self, last_epoch: Steps, now: Row, inputs: Inputs) -> Iterable[float] | None:
        """Return the momentums that torch's `get_lr()` sets besides, or None."""
        return None

    def closed_form(self, epoch: Steps, base: Row) -> Iterable[float] | None:
        """Return torch's `_get_closed_form_lr()`, or None where there is none."""
        return None

    def construct(self, initial: Row | None, now: Row, inputs: Inputs) -> Built:
        base = now if initial is None else initial
        memory, row = self.move(self.fresh, base, now, inputs, INITIAL)
        return Built(memory, base, row)

    def move(self, memory: Any, base: Row, now: Row, inputs: Inputs, move: Move) -> tuple[Memory, Row]:
        if move.epoch is None:
            last_epoch = memory + 1
            if move.initial and self.keeps_initial:
                return last_epoch, now
            return last_epoch, self.values(last_epoch, base, now, inputs)
        lrs = self.closed_form(move.epoch, base)
        if lrs is None:
            return move.epoch, self.values(move.epoch, base, now, inputs)
        return move.epoch, written(now, "lr", lrs)

    def values(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Row:
        """Return the row of an epoch that is reached by steps."""
        lrs = self.get_lr(last_epoch, base, now, inputs)
        row = now if lrs is now["lr"] else written(now, "lr", lrs)
        momentums = self.get_momentum(last_epoch, now, inputs)
        return row if momentums is None else written(row, "momentum", momentums)


def written(row: Row, track: str, values: Iterable[float]) -> Row:
    """Return the row with a track's values, as torch puts them into the groups; as it is without the track."""
    if track not in row:
        return row
    if track != "lr":
        return {**row, track: tuple(float(value) for _, value in zip(row[track], values, strict=True))}
    return {**row, track: tuple(put(old, value) for old, value in zip(row[track], values, strict=True))}


def each(values: PerGroup, groups: Sequence[Any]) -> Sequence[float]:
    """Return one value for each param group, where one may stand for all."""
    if isinstance(values, int | float):
        return (values,) * len(groups)
    return tuple(values) * len(groups) if len(values) == 1 else values


def _all(values: PerGroup) -> Sequence[float]:
    return (values,) if isinstance(values, int | float) else values


def _keys(memory: Mapping[str, Any]) -> GroupKeys:
    """Return the groups' keys that a composite's memory has, in their kinds."""
    kinds = memory.get("kinds", {})
    return {
        key: tuple(map(of_kind, _all(values), kinds[key])) if key in kinds else values
        for key, values in memory["groups"].items()
    }


def per_group_numbers(schedule: Schedule) -> Iterator[tuple[str, Sequence[float]]]:
    """Yield the fields of a schedule, and of those in it, that have a number for each param group or one for all."""
    for field in fields(schedule):  # type: ignore[arg-type]  # every schedule is a dataclass
        value = getattr(schedule, field.name)
        if field.type == "PerGroup" and not isinstance(value, int | float):
            yield f"{type(schedule).__name__}.{field.name}", value
        for item in value if isinstance(value, tuple) else (value,):
            member = item if isinstance(item, Schedule) else getattr(item, "schedule", None)
            if isinstance(member, Schedule):
                yield from per_group_numbers(member)


def with_base(memory: Memory, own: Row, base: Row) -> Memory:
    """Return the memory of a scheduler whose base lrs are `own`, in a run whose base lrs are `base`."""
    if same_lrs(own, base):
        return memory
    return {"base_lrs": [[float(lr), number_name(lr)] for lr in own["lr"]], "memory": memory}


def same_lrs(one: Row, other: Row) -> bool:
    """Whether two rows' lrs have the same bits and kinds."""
    return _bits(one["lr"]) == _bits(other["lr"])


def _bits(values: Sequence[Real]) -> list[tuple[type, str]]:
    return [(type(value), value.hex()) for value in values]
