"""What every schedule is: builder, definition and evaluator in one frozen dataclass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias, TypeVar, dataclass_transform

from lrkeeper.schedules.given import NO_INPUTS, Inputs
from lrkeeper.schedules.numbers import Row

if TYPE_CHECKING:
    from lrkeeper.schedules.composable.parts import Span
    from lrkeeper.schedules.sequence import Sequence

_SHOWN = 200

Memory: TypeAlias = Any
"""A schedule's counters between two steps: ints and lists of them, as JSON holds them. Never changed
in place, and never a current value: that is the row."""


class Schedule(ABC):
    """A curve over steps.

    A schedule built by name (`StepLR(step_size=30)`) checks its fields at once. What a torch program
    brings is built by `unchecked`: torch accepts more, and fails at a later step; so does evaluation.
    """

    kind: ClassVar[str]
    """The definition's name in schedule files and in the proto message."""

    outermost: ClassVar[bool] = False
    """Whether it stands alone, and never within another schedule."""

    @property
    def moves(self) -> tuple[str, ...]:
        """The hyperparameters it moves: "lr", and "momentum" if that too."""
        return ("lr",)

    @property
    def closed(self) -> bool:
        """Whether any step can be evaluated without those before."""
        return False

    def at(self, step: int, base: Row, now: Row) -> tuple[Memory, Row] | None:
        """Return the memory and the row of any step; None where only the steps before lead there.

        Where the values hang on progress that is not known here (tokens), the row is `now`. Raises as `advance`.
        """
        return None

    def ahead(self, step: int, count: int, base: Row, now: Row) -> tuple[Memory, list[Row]] | None:
        """Return the memory at the last and the rows of the `count` steps after a step, all at once.

        None where each follows from the one before. Raises as `advance`, at whichever of them.
        """
        return None

    def check_whole(self) -> None:
        """Check what makes sense of a whole definition only: units, fractions of a total. Raises ValueError."""
        self.check_within({})

    def check_within(self, totals: Mapping[str, float]) -> None:  # noqa: B027 - most kinds have nothing to add
        """Check as `check_whole`, where it is known how long it all goes on, by what is counted."""

    @property
    def takes_metric(self) -> bool:
        """Whether its steps are given a metric: `scheduler.step(metric)`."""
        return any(member.takes_metric for member in direct_members(self))

    def callers(self) -> Iterator[Schedule]:
        """Yield this schedule, or those in it, whose steps are given the factors of functions."""
        for member in direct_members(self):
            yield from member.callers()

    @abstractmethod
    def check(self) -> None:
        """Raise TypeError or ValueError, naming the field, its value and what would be right.

        Members have been checked when they were built.
        """

    @abstractmethod
    def start(self, base: Row, now: Row, inputs: Inputs = NO_INPUTS) -> tuple[Memory, Row]:
        """Return the memory and the row at step 0.

        `base` has the base values (torch's `initial_lr`), `now` those in the groups when the scheduler
        is built; they differ where another scheduler was built on the same optimizer before. `inputs` has
        the factors of functions that torch's constructor calls.
        """

    @abstractmethod
    def advance(self, memory: Memory, base: Row, now: Row, inputs: Inputs) -> tuple[Memory, Row]:
        """Return the memory and the row of the next step, given those of this one and what it learns.

        Raises what torch raises where it cannot go on: ZeroDivisionError, NotImplementedError,
        OverflowError, TypeError, ValueError.
        """

    def to_epoch(
        self, memory: Memory, base: Row, now: Row, epoch: float, inputs: Inputs
    ) -> tuple[Memory, Row]:
        """Return the memory and the row that torch's `step(epoch)` leads to. Raises as `advance`."""
        raise TypeError(f"{type(self).__name__} takes no epoch")

    def then(self, schedule: Schedule, at: int | Span) -> Sequence:
        """Return this schedule up to `at`, and from there `schedule`, from the value reached.

        A torch class has that value for its base lr: step `at` still has this schedule's value, unless the class
        changes it at once. (torch's SequentialLR sets the lr back to the base at its milestones: that is
        `SequentialLR`.) A composable kind goes on from it where a level says so. `schedule` counts its own steps
        from there. A number is of steps; with a Span the clock may count something else.
        """
        from lrkeeper.schedules.sequence import Sequence, Stage

        if not isinstance(at, int | float):
            return Sequence(stages=(Stage(self, over=at), Stage(schedule)))
        whole = isinstance(self, Sequence) and self.boundary == "later" and self.stages[-1].over is None
        before = self.stages if isinstance(self, Sequence) and whole else (Stage(self),)
        return Sequence(stages=(*before, Stage(schedule, at=at)))

    def __str__(self) -> str:
        """Return what stands in messages: the definition, or what it was made from, if that is short."""
        text = self.made_from or repr(self)
        return text if len(text) <= _SHOWN else f"{type(self).__name__}(…)"

    @property
    def made_from(self) -> str:
        """What it was made from, for people; empty if that is not known. Two that differ in it alone are equal."""
        found: str = self.__dict__.get("_made_from", "")
        return found

    def tell(self, made_from: str) -> Self:
        """Note what it was made from; what is beyond 1,000 characters is left out. Return the schedule."""
        self.__dict__["_made_from"] = made_from[:1000]
        return self

    def altered(self, **values: Any) -> Self:
        """Return the schedule with other values of some fields, unchecked."""
        kept = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return self.unchecked(**{**kept, **values})

    @classmethod
    def unchecked(cls, **values: Any) -> Self:
        """Build without the checks, as torch would; fields not given have their defaults.

        Raises TypeError if a field without default is missing.
        """
        self = object.__new__(cls)
        for field in fields(cls):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = values.pop(field.name, field.default)
            if value is MISSING:
                raise TypeError(f"{cls.__name__}: {field.name} is missing")
            object.__setattr__(self, field.name, value)
        assert not values, values
        return self


def all_tracks(schedules: Iterable[Schedule]) -> tuple[str, ...]:
    """Return the tracks that schedules move together, the lr first."""
    return tuple(dict.fromkeys(["lr", *(track for schedule in schedules for track in schedule.moves)]))


def check_members(schedule: Schedule) -> None:
    """Raise TypeError if a schedule holds one that stands alone."""
    for member in direct_members(schedule):
        if member.outermost:
            raise TypeError(
                f"{type(schedule).__name__}: {member.kind} stands within it; it must be the outermost schedule"
            )


def direct_members(schedule: Schedule) -> Iterator[Schedule]:
    """Yield the schedules that a schedule holds, not those that they hold."""
    for field in fields(schedule):  # type: ignore[arg-type]  # every schedule is a dataclass
        yield from _held(getattr(schedule, field.name))


def _held(value: Any) -> Iterator[Schedule]:
    if isinstance(value, Schedule):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _held(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _held(getattr(value, field.name))


T = TypeVar("T", bound=type[Schedule])


@dataclass_transform(frozen_default=True)
def definition(kind: str, instead: dict[str, str] | None = None) -> Callable[[T], T]:
    """Make a class a schedule of this kind: a frozen dataclass that checks itself when built.

    `instead` names what to use for an argument that belongs to another schedule; `{}` in its text
    stands for the value given.
    """

    def decorate(cls: T) -> T:
        cls.kind = kind
        dataclass(frozen=True)(cls)
        build: Callable[..., None] = cls.__init__

        @wraps(build)
        def __init__(self: Schedule, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            for name, advice in (instead or {}).items():
                if name in kwargs and name not in cls.__dataclass_fields__:  # type: ignore[attr-defined]
                    raise TypeError(f"{cls.__name__} has no {name}: use {advice.format(kwargs[name])}")
            build(self, *args, **kwargs)
            self.check()
            check_members(self)

        setattr(cls, "__init__", __init__)  # noqa: B010 - mypy refuses a plain assignment
        return cls

    return decorate
