"""Between a schedule and its proto message: fields of the same names, kinds by the oneof's names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from lrkeeper.schedules.chained_scheduler import ChainedScheduler
from lrkeeper.schedules.composable.affine import Affine
from lrkeeper.schedules.composable.closed_form import ClosedForm
from lrkeeper.schedules.composable.constant import Constant
from lrkeeper.schedules.composable.decay import Decay
from lrkeeper.schedules.composable.expression import Expression
from lrkeeper.schedules.composable.greedy import Greedy
from lrkeeper.schedules.composable.parts import Level, Span
from lrkeeper.schedules.composable.pick import Pick
from lrkeeper.schedules.composable.plateau import Plateau
from lrkeeper.schedules.composable.points import Point, Points
from lrkeeper.schedules.composable.power import Power
from lrkeeper.schedules.composable.product import Product
from lrkeeper.schedules.composable.ramp import Ramp
from lrkeeper.schedules.composable.repeat import Repeat
from lrkeeper.schedules.composable.steps import Steps
from lrkeeper.schedules.composable.track import Parameter, Track
from lrkeeper.schedules.composable.tracks import Tracks
from lrkeeper.schedules.composable.warp import Warp
from lrkeeper.schedules.constant_lr import ConstantLR, LinearLR
from lrkeeper.schedules.cosine_annealing import CosineAnnealingLR, CosineAnnealingWarmRestarts
from lrkeeper.schedules.cyclic_lr import CyclicLR
from lrkeeper.schedules.exponential_lr import ExponentialLR, PolynomialLR
from lrkeeper.schedules.lambda_lr import LambdaLR, MultiplicativeLR
from lrkeeper.schedules.multi_step_lr import MultiStepLR
from lrkeeper.schedules.numbers import TENSORS
from lrkeeper.schedules.one_cycle_lr import OneCycleLR
from lrkeeper.schedules.reduce_lr_on_plateau import ReduceLROnPlateau
from lrkeeper.schedules.schedule import Schedule
from lrkeeper.schedules.sequence import Sequence, Stage
from lrkeeper.schedules.sequential_lr import SequentialLR
from lrkeeper.schedules.shape import DefinitionError, UnknownKind, check_shape
from lrkeeper.schedules.step_lr import StepLR
from lrkeeper.schedules.sugar import expanded, placed
from lrkeeper.schedules.swalr import SWALR
from lrkeeper.schedules.torch_schedule import SEMANTICS
from lrkeeper.v1 import schedule_pb2

_PARTS: dict[str, type[Any]] = {
    "Stage": Stage,
    "Span": Span,
    "Level": Level,
    "Point": Point,
    "Track": Track,
    "Parameter": Parameter,
}
"""What definitions are made of besides schedules, by the message's name."""

_CLASSES: tuple[type[Schedule], ...] = (
    StepLR,
    MultiStepLR,
    SequentialLR,
    Sequence,
    ConstantLR,
    LinearLR,
    ExponentialLR,
    PolynomialLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    CyclicLR,
    OneCycleLR,
    LambdaLR,
    MultiplicativeLR,
    ReduceLROnPlateau,
    SWALR,
    ChainedScheduler,
    Constant,
    Ramp,
    Power,
    Points,
    Expression,
    Decay,
    Steps,
    Product,
    Affine,
    Pick,
    Warp,
    Repeat,
    Plateau,
    Greedy,
    Tracks,
)
KINDS: dict[str, type[Schedule]] = {cls.kind: cls for cls in _CLASSES}
"""Every kind of schedule, by its name in the proto's oneof."""

_to_text = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode

MAX_DEPTH = 24
MAX_NODES = 512
MAX_POINTS = 10_000
MAX_NOTE = 1_000


def encode(schedule: Schedule) -> schedule_pb2.Schedule:
    """Return a schedule's message. It names the releases of torch whose bits the torch classes in it have.

    Raises TypeError if a field is not of the message's type (torch takes some objects that no message
    can hold, and fails at the first step).
    """
    message = _message(schedule)
    message.semantics = SEMANTICS
    if schedule.made_from:
        message.made_from = schedule.made_from
    return message


def decode(message: schedule_pb2.Schedule, *, path: str = "schedule", checked: bool = True) -> Schedule:
    """Return a message's schedule; `checked=False` takes whatever torch's constructor takes.

    A composable kind is checked all the same: it is no torch class.

    Raises:
        DefinitionError: no kind, a required field missing, a check failed, or too large.
    """
    schedule = _Decoder(checked, composable=True).schedule(message, path)
    if checked or isinstance(schedule, ClosedForm):
        try:
            schedule.check_whole()
        except (ValueError, ArithmeticError) as error:
            raise DefinitionError(path, str(error)) from error
    return schedule


def to_json(schedule: Schedule) -> str:
    """Return the definition's canonical JSON: what is stored, and compared."""
    return _to_text(to_dict(schedule))


def comparable(text: str) -> str:
    """Return a definition's text as versions wrote it that did not name torch's releases, and meant the same.

    What it was made from is left out.
    """
    found = json.loads(text)
    found.pop("made_from", None)
    if found.get("semantics") == SEMANTICS:
        del found["semantics"]
    return _to_text(found)


def same(one: str, other: str) -> bool:
    """Return whether two stored definitions are one, whichever version wrote them."""
    return one == other or comparable(one) == comparable(other)


def to_dict(schedule: Schedule) -> dict[str, Any]:
    """Return the definition as JSON's types."""
    return json_format.MessageToDict(encode(schedule), preserving_proto_field_name=True)


def from_json(text: str) -> Schedule:
    """Read what `to_json` wrote. Raises DefinitionError if it is something else."""
    try:
        message = json_format.Parse(text, schedule_pb2.Schedule())
    except json_format.ParseError as error:
        raise DefinitionError("schedule", f"is no definition: {error}") from error
    return _Decoder(checked=False, composable=False).schedule(message, "schedule")


def from_dict(value: Any, *, path: str = "schedule") -> Schedule:
    """Read a definition that a person wrote as JSON or YAML.

    Raises:
        DefinitionError: an unknown field, two kinds at once, a wrong type, or as `decode`.
    """
    value = expanded(value, path)
    try:
        return decode(_written(value, path), path=path)
    except DefinitionError as error:
        raise placed(error, value, path) from error


def message_of(value: Any, *, path: str = "schedule") -> schedule_pb2.Schedule:
    """Return the message of what a person wrote: its shape is right, its numbers are not checked.

    Raises DefinitionError.
    """
    value = expanded(value, path)
    try:
        return _written(value, path)
    except DefinitionError as error:
        raise placed(error, value, path) from error


def _written(value: Any, path: str) -> schedule_pb2.Schedule:
    value = _listed(value)
    check_shape(value, schedule_pb2.Schedule.DESCRIPTOR, path)
    return json_format.ParseDict(value, schedule_pb2.Schedule())


def _listed(value: Any, done: dict[int, Any] | None = None) -> Any:
    """Return a definition with its numbers for all param groups as lists of one: `max_lr: 0.1`.

    A YAML file can hold one object in many places, and in itself: each is done once.
    """
    done = {} if done is None else done
    if not isinstance(value, list | dict) or id(value) in done:
        return done.get(id(value), value)
    if isinstance(value, list):
        items: list[Any] = []
        done[id(value)] = items
        items += [_listed(item, done) for item in value]
        return items
    found: dict[Any, Any] = {}
    done[id(value)] = found
    found |= {key: _listed(content, done) for key, content in value.items()}
    for kind, content in found.items():
        if kind in KINDS and isinstance(content, dict):
            for field in fields(KINDS[kind]):  # type: ignore[arg-type]  # every schedule is a dataclass
                number = content.get(field.name)
                if field.type == "PerGroup" and isinstance(number, int | float):
                    content[field.name] = [number]
    return found


def _message(schedule: Schedule) -> schedule_pb2.Schedule:
    message = schedule_pb2.Schedule()
    _fill(getattr(message, schedule.kind), schedule)
    getattr(message, schedule.kind).SetInParent()
    for name, kind in TENSORS.items():
        getattr(message, name).extend(_of_kind(kind, schedule))
    return message


def _of_kind(kind: type[float], schedule: Schedule) -> Iterator[str]:
    """Yield the names of a schedule's numbers of a kind."""
    for field in fields(schedule):  # type: ignore[arg-type]  # every schedule is a dataclass
        value = getattr(schedule, field.name)
        places = [isinstance(item, kind) for item in (value if isinstance(value, tuple) else (value,))]
        if all(places) and places:
            yield field.name
        else:
            yield from (f"{field.name}[{place}]" for place, of_kind in enumerate(places) if of_kind)


def _fill(message: Message, value: Any) -> None:
    for field in fields(value):
        content = getattr(value, field.name)
        try:
            if isinstance(content, Schedule):
                getattr(message, field.name).CopyFrom(_message(content))
            elif isinstance(content, tuple) and content and isinstance(content[0], Schedule):
                getattr(message, field.name).extend(_message(member) for member in content)
            elif isinstance(content, tuple(_PARTS.values())):
                _fill(getattr(message, field.name), content)
            elif isinstance(content, tuple) and content and isinstance(content[0], tuple(_PARTS.values())):
                for part in content:
                    _fill(getattr(message, field.name).add(), part)
            elif message.DESCRIPTOR.fields_by_name[field.name].is_repeated:
                getattr(message, field.name).extend(content if isinstance(content, tuple) else (content,))
            elif content is not None:
                setattr(message, field.name, content)
        except (TypeError, ValueError) as error:
            raise TypeError(f"{type(value).__name__}: {field.name} is {content!r}; {error}") from error


def _make(kind: type[float], values: dict[str, Any], name: str, path: str) -> None:
    """Make a field's numbers, or one of them, of a kind. Raises DefinitionError where there are none."""
    field, _, place = name.removesuffix("]").partition("[")
    value = values.get(field)
    if isinstance(value, float) and not place:
        values[field] = kind(value)
    elif isinstance(value, tuple) and all(isinstance(item, float) for item in value) and not place:
        values[field] = tuple(map(kind, value))
    elif isinstance(value, tuple) and place.isdecimal() and int(place) < len(value):
        at = int(place)
        values[field] = (*value[:at], kind(value[at]), *value[at + 1 :])
    else:
        raise DefinitionError(path, f"has {name!r}, which is no number of this definition that can be one")


class _Decoder:
    """One decoding: counts what it meets, so that a small message cannot make much work."""

    def __init__(self, checked: bool, composable: bool) -> None:
        self._checked = checked
        self._composable = composable
        self._nodes = 0
        self._depth = 0

    def schedule(self, message: schedule_pb2.Schedule, path: str) -> Schedule:
        if len(message.made_from) > MAX_NOTE:
            raise DefinitionError(
                f"{path}.made_from", f"has {len(message.made_from)} characters; at most {MAX_NOTE} are taken"
            )
        found = self._schedule(message, path)
        return found.tell(message.made_from) if message.made_from else found

    def _schedule(self, message: schedule_pb2.Schedule, path: str) -> Schedule:
        kind = message.WhichOneof("kind")
        if kind is None:
            raise DefinitionError(path, f"names no kind of schedule this version knows: {', '.join(KINDS)}")
        if kind not in KINDS:
            raise UnknownKind(path, f"is {kind}, which this version cannot evaluate")
        self._nodes += 1
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise DefinitionError(path, f"is nested more than {MAX_DEPTH} deep")
        if self._nodes > MAX_NODES:
            raise DefinitionError(path, f"is one of more than {MAX_NODES} schedules in one definition")
        if self._depth > 1 and KINDS[kind].outermost:
            raise DefinitionError(path, f"is {kind}, within another schedule; it must be the outermost one")
        if message.HasField("semantics") and message.semantics != SEMANTICS:
            raise DefinitionError(
                f"{path}.semantics", f"is {message.semantics!r}; this version knows {SEMANTICS!r} only"
            )
        values = self._values(KINDS[kind], getattr(message, kind), f"{path}.{kind}")
        for kind_name, number in TENSORS.items():
            for name in getattr(message, kind_name):
                _make(number, values, name, f"{path}.{kind_name}")
        path = f"{path}.{kind}"
        schedule = KINDS[kind].unchecked(**values)
        self._depth -= 1
        if self._checked or (self._composable and isinstance(schedule, ClosedForm)):
            try:
                schedule.check()
            except (TypeError, ValueError) as error:
                raise DefinitionError(path, str(error)) from error
        return schedule

    def _values(self, cls: type[Any], message: Message, path: str) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for field in fields(cls):
            where = f"{path}.{field.name}"
            content = getattr(message, field.name)
            if message.DESCRIPTOR.fields_by_name[field.name].is_repeated:
                if not content and field.default is not MISSING:
                    continue
                if len(content) > MAX_POINTS:
                    raise DefinitionError(
                        where, f"has {len(content)} entries; at most {MAX_POINTS} are taken"
                    )
                values[field.name] = tuple(
                    self._value(field, item, f"{where}[{i}]") for i, item in enumerate(content)
                )
            elif message.HasField(field.name):
                values[field.name] = self._value(field, content, where)
            elif field.default is MISSING:
                raise DefinitionError(where, "is missing")
        return values

    def _value(self, field: Field[Any], content: Any, path: str) -> Any:
        if isinstance(content, schedule_pb2.Schedule):
            return self.schedule(content, path)
        if isinstance(content, Message):
            part = _PARTS[content.DESCRIPTOR.name]
            values = self._values(part, content, path)
            try:
                return part(**values)
            except ValueError as error:
                raise DefinitionError(path, str(error)) from error
        if isinstance(content, float) and "Steps" in field.type and content.is_integer():
            return int(content)
        return content
