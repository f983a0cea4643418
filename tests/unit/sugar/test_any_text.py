"""Whatever is written is a definition, or refused as one: nothing else happens."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lrkeeper.schedules import codec
from lrkeeper.schedules.lint import lint
from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.sugar.schedules import KNOWN
from lrkeeper.v1 import schedule_pb2

FIELDS = sorted(
    {
        field
        for message in schedule_pb2.DESCRIPTOR.message_types_by_name.values()
        for field in message.fields_by_name
    }
)
KINDS = [field.name for field in schedule_pb2.Schedule.DESCRIPTOR.oneofs_by_name["kind"].fields]
TOP = ["lr", "weight_decay", "groups", "total", "parameters", "head", "from", "to"]
OFTEN = [
    "over",
    "to",
    "from",
    "stages",
    "schedule",
    "hold",
    "warmup",
    "decay",
    "cosine",
    "ramp",
    "sequence",
    "label",
]

keys = st.one_of(st.sampled_from(OFTEN), st.sampled_from(TOP), st.sampled_from([*KNOWN, *FIELDS]))
texts = st.sampled_from(
    [
        "",
        "linear",
        "1-sqrt",
        "5",
        "5ba",
        "10%",
        "1x",
        "prev",
        "$n",
        "3e-4",
        "1e999",
        "NaN",
        "0.1 * lr",
        "inside",
        "x",
    ]
)
numbers = st.one_of(st.integers(-3, 50), st.floats(), st.just(10**400))
leaves = st.one_of(texts, numbers, st.booleans(), st.none())
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=15,
)


def _later(name: str, depth: int) -> st.SearchStrategy[Any]:
    return st.deferred(lambda: of_message(name, depth))


def of_message(name: str, depth: int = 0) -> st.SearchStrategy[Any]:
    """Mappings that have the fields of a message, mostly with what fits."""
    descriptor = schedule_pb2.DESCRIPTOR.message_types_by_name[name]
    fitting = {}
    for field in descriptor.fields:
        if field.message_type is None:
            each: st.SearchStrategy[Any] = leaves
        elif field.message_type.name in ("Span", "Level"):
            each = st.one_of(texts, numbers)
        else:
            each = _later(field.message_type.name, depth + 1) if depth < 4 else values
        fitting[field.name] = st.lists(each, max_size=3) if field.is_repeated else each
    if name == "Schedule":
        beside = {field: fitting[field] for field in fitting if field not in KINDS}
        return st.sampled_from(KINDS).flatmap(
            lambda kind: st.fixed_dictionaries({kind: fitting[kind]}, optional=beside)
        )
    return st.fixed_dictionaries({}, optional=fitting)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(st.dictionaries(keys, values, max_size=3), of_message("Schedule"), values))
def test_a_definition_is_read_or_refused_with_its_path(value: Any) -> None:
    for read in (codec.message_of, codec.from_dict):
        try:
            read(value, path="here")
        except DefinitionError as error:
            assert error.field.startswith("here") or error.field == "the definition"  # noqa: PT017


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(st.dictionaries(keys, values, max_size=3), of_message("Schedule")),
    st.one_of(st.none(), st.integers(1, 60)),
)
def test_lint_takes_whatever_is_written(value: Any, steps: int | None) -> None:
    for finding in lint(value, steps=steps):
        assert finding.problem
