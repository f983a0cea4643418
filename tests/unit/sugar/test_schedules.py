"""What may stand where a schedule stands, and what it means."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from lrkeeper import schedules as S
from lrkeeper.schedules import codec
from lrkeeper.schedules.composable.ramp import EASES
from lrkeeper.schedules.cursor import begin, extend
from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.sugar import eases, expanded
from lrkeeper.v1 import schedule_pb2

KINDS = [field.name for field in schedule_pb2.Schedule.DESCRIPTOR.oneofs_by_name["kind"].fields]

MEANS = {
    "hold: 1x\nsemantics: torch>=2.9": "constant: {value: {relative: 1}}\nsemantics: torch>=2.9",
    "stages: [{step_lr: {step_size: 3}, float32: [gamma]}]": (
        "sequence: {stages: [{schedule: {step_lr: {step_size: 3}, float32: [gamma]}}]}"
    ),
    "hold: 1x": "constant: {value: {relative: 1}}",
    "constant: 3e-4": "constant: {value: {absolute: 0.0003}}",
    "ramp: {from: 0, to: 10%, over: 10ep}": (
        "ramp: {begin: {absolute: 0}, end: {relative: 0.1}, over: {epochs: 10}}"
    ),
    "ramp: {over: 10, ease: 1-sqrt}": "ramp: {over: {steps: 10}, ease: power, power: 0.5}",
    "cosine: {to: 0, over: 1dur}": "ramp: {end: {absolute: 0}, over: {fraction: 1}, ease: cosine}",
    "1-sqrt: {to: 0, over: 9}": "ramp: {end: {absolute: 0}, over: {steps: 9}, ease: power, power: 0.5}",
    "warmup: 2000ba": "ramp: {begin: {absolute: 0}, end: {relative: 1}, over: {steps: 2000}}",
    "warmup: {tokens: 5}": "ramp: {begin: {absolute: 0}, end: {relative: 1}, over: {tokens: 5}}",
    "warmup: {over: 9, from: 1%, ease: cos}": (
        "ramp: {begin: {relative: 0.01}, end: {relative: 1}, over: {steps: 9}, ease: cosine}"
    ),
    "warmup: linear\nover: 9": (
        "ramp: {begin: {absolute: 0}, end: {relative: 1}, over: {steps: 9}, ease: linear}"
    ),
    "decay: minus_sqrt\nover: 9": "ramp: {end: {absolute: 0}, over: {steps: 9}, ease: power, power: 0.5}",
    "decay: poly\npower: 3\nto: 1e-7\nover: 9": (
        "ramp: {end: {absolute: 1.0e-7}, over: {steps: 9}, ease: polynomial, power: 3}"
    ),
    "ramp: geometric\nto: 1x\nover: 9": "ramp: {end: {relative: 1}, over: {steps: 9}, ease: geometric}",
    "decay: {factor: 0.5, every: 30ep}": "decay: {factor: 0.5, every: {epochs: 30}}",
    "expression: 0.95 ** epoch": "expression: {text: 0.95 ** epoch}",
    "power: {scale: 10Kba, to: 0}": "power: {scale: {steps: 10000}, toward: {absolute: 0}}",
    "points: [[0, 0], [10ep, 1x], {at: 30ep, value: 10%}]": (
        "points: {points: [{at: {steps: 0}, value: {absolute: 0}}, {at: {epochs: 10}, value: {relative: 1}}, "
        "{at: {epochs: 30}, value: {relative: 0.1}}]}"
    ),
    "steps: {times: [30ep, 60ep]}": "steps: {times: [{epochs: 30}, {epochs: 60}]}",
    "product: [{hold: 2x}, {step_lr: {step_size: 3}}]": (
        "product: {schedules: [{constant: {value: {relative: 2}}}, {step_lr: {step_size: 3}}]}"
    ),
    "repeat: {schedule: {cosine: {to: 0, over: 9}}, period: 9ba}": (
        "repeat: {schedule: {ramp: {end: {absolute: 0}, over: {steps: 9}, ease: cosine}}, period: {steps: 9}}"
    ),
    "warmup: 5\nstep_lr: {step_size: 30}": (
        "sequence: {stages: [{schedule: {ramp: {begin: {absolute: 0}, end: {relative: 1}, over: {steps: 5}}}, "
        "over: {steps: 5}, label: warmup}, {schedule: {step_lr: {step_size: 30}}}]}"
    ),
    "warmup: 5\ndecay: linear\nover: 9": (
        "sequence: {stages: [{schedule: {ramp: {begin: {absolute: 0}, end: {relative: 1}, over: {steps: 5}}}, "
        "over: {steps: 5}, label: warmup}, "
        "{schedule: {ramp: {end: {absolute: 0}, over: {steps: 9}, ease: linear}}}]}"
    ),
    "stages: [{hold: 1x, over: 5}, {step_lr: {step_size: 3}, over: 30}, {decay: cosine, over: 9}]": (
        "sequence: {stages: [{schedule: {constant: {value: {relative: 1}}}, over: {steps: 5}, label: hold}, "
        "{schedule: {step_lr: {step_size: 3}}, over: {steps: 30}}, {schedule: "
        "{ramp: {end: {absolute: 0}, over: {steps: 9}, ease: cosine}}, over: {steps: 9}, label: decay}]}"
    ),
    "stages: [{cosine: {to: 0}, over: 5}, {schedule: {hold: 1}, label: rest}]": (
        "sequence: {stages: [{schedule: {ramp: {end: {absolute: 0}, over: {steps: 5}, ease: cosine}}, "
        "over: {steps: 5}}, {schedule: {constant: {value: {absolute: 1}}}, label: rest}]}"
    ),
    "stages: [{cosine: {to: 0, over: 9}, over: 5}, {hold: prev}]": (
        "sequence: {stages: [{schedule: {ramp: {end: {absolute: 0}, over: {steps: 9}, ease: cosine}}, "
        "over: {steps: 5}}, {schedule: {constant: {value: {before: 1}}}, label: hold}]}"
    ),
    "stages: [{warmup: 5}, {hold: 1x, at: 5ba}]": (
        "sequence: {stages: [{schedule: {ramp: {begin: {absolute: 0}, end: {relative: 1}, over: {steps: 5}}}, "
        "label: warmup}, {schedule: {constant: {value: {relative: 1}}}, at: 5, label: hold}]}"
    ),
    "sequence: {stages: [{decay: linear, over: 3}, {decay: linear, over: 4}]}": (
        "sequence: {stages: ["
        "{schedule: {ramp: {end: {absolute: 0}, over: {steps: 3}, ease: linear}}, over: {steps: 3}}, "
        "{schedule: {ramp: {end: {absolute: 0}, over: {steps: 4}, ease: linear}}, over: {steps: 4}}]}"
    ),
}

BAD = {
    "float32: [gamma]": "names no kind",
    "hold: 1x\nfloat23: [gamma]": "float23: stands beside hold",
    "hold: 1x\nfloat32: gamma": "float32: is 'gamma'; it must be a list",
    "cosine: {over: 9}": "cosine.to: is missing",
    "cosine: {to: 0}": "cosine.over: is missing",
    "cosine: 9": "cosine: is 9; it must be a mapping: cosine: {to: 0, over: 1dur}",
    "cosine: {to: 0, over: 9, ease: tanh}": "cosine.ease: stands in cosine",
    "cosine: {to: 0, end: 1, over: 9}": "cosine.end: stands beside to, which means the same",
    "cosine: {to: 0, over: 9ba}\nstep_lr: {step_size: 1}": "step_lr: stands beside cosine",
    "cosine: {to: 0, over: 9ba}\nlabel: x": "label: stands beside cosine",
    "cosine: {too: 0, to: 0, over: 9}": "cosine.too: is not known; .*; did you mean to?",
    "cosien: {to: 0, over: 9}": "cosien: is not known; .*; did you mean cosine?",
    "ramp: {over: 9, ease: linaer}": "ramp.ease: is 'linaer'; .*; did you mean linear?",
    "ramp: {over: 9, ease: sqrt}": "ramp.ease: is 'sqrt'; 1-sqrt falls fast at first",
    "ramp: {over: 9, ease: 3}": "ramp.ease: is 3; it must be linear",
    "ramp: {over: 9, ease: 1-sqrt, power: 2}": "ramp.power: stands beside 1-sqrt",
    "ramp: {over: -9}": "ramp: Ramp: over.steps is -9",
    "ramp: {over: 9, to: 1xx}": "ramp.to: is '1xx'",
    "decay: inverse_sqrt\nover: 9": "decay: is 'inverse_sqrt'; that is no ramp",
    "decay: linear": "over: is missing: how long it takes",
    "decay: linear\nover: 9\nease: tanh": "ease: stands beside decay",
    "hold: 1x\nover: 9": "over: stands beside hold",
    "hold:": "hold: is empty",
    "warmup: linear\ncosine: {to: 0, over: 9}": "warmup: is 'linear'; beside cosine it must be a length",
    "warmup: 9\nover: 9": "over: stands beside warmup",
    "warmup: 9\nstages: []": "warmup: stands beside stages; write it as the first of them",
    "warmup: 9\nhold: 1x\ncosine: {to: 0, over: 9}": "cosine: stands beside hold",
    "warmup: {ease: linear}": "warmup.over: is missing",
    "warmup: 9 steps": "warmup: is '9 steps'; .* did you mean \"9ba\"?",
    "stages: 3": "stages: is 3; it must be a list",
    "stages: []": ": Sequence: stages is empty",
    "stages: [3]": r"stages\[0\]: is 3; it must be a mapping",
    "stages: [{over: 3}]": r"stages\[0\].schedule: is missing",
    "stages: [{hodl: 1x, over: 3}]": r"stages\[0\].hodl: is not known; .*; did you mean hold?",
    "stages: [{hold: 1x, ovr: 3}]": r"stages\[0\].ovr: stands beside hold",
    "stages: [{hold: 1x, decay: linear, over: 3}]": r"stages\[0\].decay: stands beside hold",
    "stages: [{hold: 1x, schedule: {hold: 1x}}]": r"stages\[0\].hold: stands beside schedule",
    "stages: [{hold: 1x}, {hold: 2x}]": r"stages\[0\]: never ends",
    "stages: [{hold: 1x}, {hold: 2x, at: 3ep}]": r"stages\[1\].at: is '3ep'; it must be a step",
    "stages: [{hold: 1x, over: 3ep}, {decay: linear, over: 9tok}]": "spans are in epochs and tokens",
    "stages: [{hold: 1x, over: 0ba}, {hold: 2x}]": ": Sequence: stages.0..over.steps is 0",
    "stages: []\nbound: later": "bound: is not known; .*; did you mean boundary?",
    "points: [[1, 2, 3]]": r"points\[0\]: has 3 entries; it must be \[time, value\]",
    "points: [[1, 2tok]]": r"points\[0\]\[1\]: is '2tok'",
    "expression: 3": "expression: is 3; it must be a word",
    "constant: .nan": "constant: is nan; it must be finite",
}


def read(text: str) -> Any:
    return yaml.safe_load(text)


@pytest.mark.parametrize(("written", "means"), MEANS.items(), ids=MEANS)
def test_what_is_written_has_a_canonical_form(written: str, means: str) -> None:
    assert expanded(read(written)) == read(means)


@pytest.mark.parametrize("written", [*MEANS, *MEANS.values()])
def test_the_canonical_form_is_its_own(written: str) -> None:
    once = expanded(read(written))
    assert expanded(once) == once


@pytest.mark.parametrize(("written", "says"), BAD.items(), ids=BAD)
def test_what_is_wrong_is_named_by_its_path_as_written(written: str, says: str) -> None:
    with pytest.raises(DefinitionError, match=says.replace("?", r"\?")) as raised:
        codec.from_dict(read(written), path="")
    field = says.partition(":")[0].replace("\\", "")
    assert " " in field or raised.value.field.lstrip(".") == field


def test_every_ease_of_a_ramp_has_a_word() -> None:
    assert eases.EASES == EASES


def test_every_word_of_the_canonical_form_passes() -> None:
    for kind in KINDS:
        assert expanded({kind: {}}) == {kind: {}}


def test_a_warmup_and_a_decay_give_the_values_they_say() -> None:
    schedule = codec.from_dict(read("warmup: 4\ncosine: {to: 10%, over: 8}"))
    base: dict[str, tuple[float, ...]] = {"lr": (1.0,)}
    start = begin(schedule, base, base)
    values = [row["lr"][0] for row in [start.row, *extend(schedule, base, start, 14)[1]]]
    assert values[:6] == [0.0, 0.25, 0.5, 0.75, 1.0, pytest.approx(0.9657, abs=1e-4)]
    assert values[12:] == [0.1, 0.1, 0.1]


def test_one_object_in_very_many_places_is_refused() -> None:
    value: Any = {"hold": 1}
    for _ in range(20):
        value = {"product": [value, value]}
    with pytest.raises(DefinitionError, match="one of more than 100000 parts"):
        expanded(value)


def test_the_same_values_as_the_builders() -> None:
    text = "stages: [{warmup: linear, over: 2000ba}, {hold: 1x, over: 8000ba}, {decay: 1-sqrt, over: 100ba}]"
    stages = (
        S.Stage(S.Ramp(2000, 0, ease="linear"), over=S.Span(steps=2000), label="warmup"),
        S.Stage(S.Constant(), over=S.Span(steps=8000), label="hold"),
        S.Stage(
            S.Ramp(100, end=0, ease="power", power=0.5),
            over=S.Span(steps=100),
            label="decay",
        ),
    )
    assert codec.from_dict(read(text)) == S.Sequence(stages)
