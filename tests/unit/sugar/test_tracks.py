"""Definitions by the names of hyperparameters."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lrkeeper.schedules import codec
from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.sugar import expanded, where
from lrkeeper.v1 import schedule_pb2

WHOLE = """
total: 100000ba
parameters: {peak: 3e-4, total_steps: {description: how long it goes on}, w: {value: 5}}
lr:
  base: 3e-4
  stages:
    - {warmup: linear, from: 0, to: 1x, over: 2000ba}
    - {hold: 1x, over: 0.88dur, label: stable}
    - {decay: 1-sqrt, from: prev, to: 0, over: 0.1dur, label: decay}
weight_decay: {base: 0.1, cosine: {to: 10%, over: 1dur}}
groups: {embeddings: {lr: {scale: 2}}, head: {lr: {base: 1e-3}, weight_decay: 0}}
"""

STAGES = """
sequence:
  stages:
    - schedule: {ramp: {begin: {absolute: 0}, end: {relative: 1}, over: {steps: 2000}, ease: linear}}
      over: {steps: 2000}
      label: warmup
    - {schedule: {constant: {value: {relative: 1}}}, over: {fraction: 0.88}, label: stable}
    - schedule:
        ramp: {begin: {before: 1}, end: {absolute: 0}, over: {fraction: 0.1}, ease: power, power: 0.5}
      over: {fraction: 0.1}
      label: decay
"""

TRACKS = {
    "3e-4": {"schedule": {"constant": {"value": {"absolute": 3e-4}}}},
    "1x": {"schedule": {"constant": {"value": {"relative": 1}}}},
    "$peak": {"schedule": {"constant": {"value": {"parameter": "peak"}}}},
    "0.1 * lr / base_lr": {"link": "0.1 * lr / base_lr"},
    "{base: $peak, hold: 1x}": {
        "base_parameter": "peak",
        "schedule": {"constant": {"value": {"relative": 1}}},
    },
    "{base: $(2 * peak)}": {
        "base_parameter": "2 * peak",
        "schedule": {"constant": {"value": {"relative": 1}}},
    },
    "{link: 0.5 * lr, scale: 2}": {"link": "0.5 * lr", "scale": 2},
    "{base: 3e-4}": {"base": 3e-4, "schedule": {"constant": {"value": {"relative": 1}}}},
    "{base: 1, schedule: {hold: 2x}}": {"base": 1, "schedule": {"constant": {"value": {"relative": 2}}}},
    "{expression: u / 2, scale: 3}": {"scale": 3, "schedule": {"expression": {"text": "u / 2"}}},
    "{decay: cos, over: 9, power: 2, warp: 3}": {
        "schedule": {
            "ramp": {"end": {"absolute": 0}, "over": {"steps": 9}, "ease": "cosine", "power": 2, "warp": 3}
        }
    },
}

BAD = {
    "lr: {scale: $peak, hold: 1x}": "lr.scale: is '$peak'; it must be a number",
    "lr: {base: 10%, hold: 1x}": "lr.base: is '10%'; it must be a number",
    "lr: {bsae: 1, hold: 1x}": "lr.bsae: is not known; .*; did you mean base?",
    "lr: {bsae: 1}": "lr.bsae: is not known; .*; did you mean base?",
    "lr: {base: .inf}": "lr.base: is inf; it must be finite",
    "lr: {scale: 2}": "lr: says neither a schedule nor a base value",
    "lr: {}": "lr: says neither a schedule nor a base value",
    "lr: [1]": r"lr: is \[1\]; it must be a number",
    "lr:": "lr: is empty",
    "lr: {link: 2 * lr, hold: 1x}": "lr.hold: stands beside link",
    "lr: {link: 2 * lr, schedule: {hold: 1x}}": "lr.schedule: stands beside link",
    "lr: {schedule: {hold: 1x}, cosine: {to: 0, over: 9}}": "lr.cosine: stands beside schedule",
    "lr: {stages: [{hold: 1x, over: 9xx}]}": r"lr.stages\[0\].over: is '9xx'",
    "lr: {lr: {hold: 1}}": "lr.lr: is not known",
    "lr: 1x\ncosine: {to: 0, over: 9}": "cosine: stands beside lr; write it under the hyperparameter",
    "total: 9ba\nsequence: {stages: []}": "sequence: stands beside total; write it under the hyperparameter",
    "lr: 1x\nwieght_decay: 0.1": "wieght_decay: is not known; .*; did you mean weight_decay?",
    "lr: 1x\nname: wsd": "name: is no hyperparameter; a file with a name has the rest under schedule",
    "lr: 1x\n3: wsd": "3: is not known",
    "lr: 1x\ntotal: 9 bat": "total: is '9 bat'; .*; did you mean \"9ba\"?",
    "total: 9ba": "the definition: names no hyperparameter",
    "lr: 1x\nparameters: 3": "parameters: is 3; it must be a mapping",
    "lr: 1x\nparameters: {a: }": "parameters.a: is empty; write {} if the run must say it",
    "lr: 1x\nparameters: {a: x}": "parameters.a: is 'x'; it must be a number",
    "lr: 1x\nparameters: {a: {val: 3}}": "parameters.a.val: is not known; .*; did you mean value?",
    "lr: 1x\nparameters: {a: {description: 3}}": "parameters.a.description: is 3; it must be a word",
    "lr: 1x\nparameters: {3: 3}": "parameters.3: is 3; it must be a name",
    "lr: 1x\ngroups: 3": "groups: must be a mapping",
    "lr: 1x\ngroups: {head: 3}": "groups.head: must be a mapping",
    "lr: 1x\ngroups: {head: {lr: }}": "groups.head.lr: is empty",
    "lr: 1x\ngroups: {head: {lrr: 3}}": "groups.head.lrr: is not known; .*; did you mean lr?",
    "lr: 1x\ngroups: {head: {momentum: {scale: 2}}}": "groups.head.momentum: says no schedule",
}


def test_a_whole_definition_becomes_tracks() -> None:
    stages, found = yaml.safe_load(STAGES), expanded(yaml.safe_load(WHOLE))["tracks"]
    decay = {"ramp": {"end": {"relative": 0.1}, "over": {"fraction": 1}, "ease": "cosine"}}
    assert found == {
        "total": {"steps": 100_000},
        "parameters": [
            {"name": "peak", "value": 3e-4},
            {"name": "total_steps", "description": "how long it goes on"},
            {"name": "w", "value": 5},
        ],
        "tracks": [
            {"name": "lr", "base": 3e-4, "schedule": stages},
            {"name": "weight_decay", "base": 0.1, "schedule": decay},
            {"name": "lr", "group": "embeddings", "base": 3e-4, "scale": 2, "schedule": stages},
            {"name": "lr", "group": "head", "base": 1e-3, "schedule": stages},
            {
                "name": "weight_decay",
                "group": "head",
                "base": 0.1,
                "schedule": {"constant": {"value": {"absolute": 0}}},
            },
        ],
    }


@pytest.mark.parametrize(("written", "means"), TRACKS.items(), ids=TRACKS)
def test_a_track_may_be_a_number_a_link_or_a_mapping(written: str, means: dict[str, Any]) -> None:
    found = expanded({"lr": yaml.safe_load(written)})
    assert found == {"tracks": {"tracks": [{"name": "lr", **means}]}}
    assert expanded(found) == found


def test_another_hyperparameter_may_stand_beside_the_lr() -> None:
    found = expanded({"lr": "1x", "temperature": {"hold": 2}})
    assert [track["name"] for track in found["tracks"]["tracks"]] == ["lr", "temperature"]


@pytest.mark.parametrize(("written", "says"), BAD.items(), ids=BAD)
def test_what_is_wrong_is_named_by_its_path_as_written(written: str, says: str) -> None:
    with pytest.raises(DefinitionError, match="^" + says.replace("?", r"\?").replace("$", r"\$")):
        codec.message_of(yaml.safe_load(written), path="")


def test_the_expanded_form_fits_the_message() -> None:
    message = codec.message_of(yaml.safe_load(WHOLE))
    assert len(message.tracks.tracks) == 5
    again = json_format.MessageToDict(message, preserving_proto_field_name=True)
    assert codec.message_of(again) == message


@pytest.mark.parametrize(
    ("canonical", "written"),
    [
        ("s.tracks.total", "s.total"),
        ("s.tracks.tracks[0]", "s.lr"),
        ("s.tracks.tracks[0].base", "s.lr.base"),
        ("s.tracks.tracks[0].schedule.sequence", "s.lr"),
        ("s.tracks.tracks[0].schedule.sequence.stages[2].schedule.ramp", "s.lr.stages[2]"),
        ("s.tracks.tracks[0].schedule.sequence.stages[2].schedule.ramp.begin", "s.lr.stages[2].from"),
        ("s.tracks.tracks[0].schedule.sequence.stages[1].schedule.constant.value", "s.lr.stages[1].hold"),
        ("s.tracks.tracks[1].schedule.ramp.end", "s.weight_decay.cosine.to"),
        ("s.tracks.tracks[2].scale", "s.groups.embeddings.lr.scale"),
        ("s.tracks.tracks[2].schedule.sequence.stages[1].over", "s.lr.stages[1].over"),
        ("s.tracks.parameters[2].value", "s.parameters.w.value"),
        ("s.tracks.nonsense[3].x", "s.nonsense[3].x"),
    ],
)
def test_a_canonical_path_leads_to_where_it_is_written(canonical: str, written: str) -> None:
    assert where(expanded(yaml.safe_load(WHOLE), "s"), canonical, "s") == written


spans = st.sampled_from([5, "7ba", "2ep", "1.5Mtok", "0.9dur", "30%", "$n", {"steps": 4}])
levels = st.sampled_from([0, 0.1, "3e-4", "1x", "10%", "prev", "0.5prev", "$peak", {"relative": 2}])
words = st.sampled_from(["linear", "cosine", "1-sqrt", "tanh"])
ramps = st.one_of(
    st.builds(lambda ease, to, over: {ease: {"to": to, "over": over}}, words, levels, spans),
    st.builds(lambda ease, to, over: {"decay": ease, "to": to, "over": over}, words, levels, spans),
    st.builds(lambda start, over: {"ramp": {"from": start, "over": over}}, levels, spans),
)
leaves = st.one_of(
    ramps,
    st.builds(lambda value: {"hold": value}, levels),
    st.builds(lambda size: {"step_lr": {"step_size": size}}, st.integers(1, 9)),
    st.just({"expression": "0.5 ** u"}),
)
schedules = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda w, later: {"warmup": w, **later}, spans, ramps),
        st.lists(st.tuples(inner, spans), min_size=1, max_size=3).map(
            lambda stages: {"stages": [{"schedule": s, "over": over} for s, over in stages]}
        ),
        st.lists(inner, min_size=1, max_size=2).map(lambda members: {"product": members}),
    ),
    max_leaves=5,
)
definitions = st.one_of(
    schedules,
    st.fixed_dictionaries(
        {"lr": st.one_of(schedules, levels.filter(lambda level: not isinstance(level, dict)))},
        optional={
            "total": spans,
            "weight_decay": schedules,
            "parameters": st.just({"peak": 1, "n": {}}),
            "groups": st.builds(lambda own: {"head": {"lr": own}, "0": {"lr": {"scale": 2}}}, schedules),
        },
    ),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(definitions)
def test_expanding_twice_changes_nothing(definition: Any) -> None:
    once = expanded(definition)
    assert expanded(once) == once
    message = codec.message_of(definition)
    assert codec.message_of(json_format.MessageToDict(message, preserving_proto_field_name=True)) == message
    assert isinstance(message, schedule_pb2.Schedule)
