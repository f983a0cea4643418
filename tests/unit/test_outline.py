"""The stages of a schedule, in steps."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import yaml

from lrkeeper import schedules as S
from lrkeeper.schedules import codec
from lrkeeper.schedules.outline import StageSpan, stages_in, stages_of

WSD = "stages: [{warmup: linear, over: 4}, {hold: 1x, over: 3, label: stable}, {decay: linear, over: 2}]"
TRACKS = """
total: 100ba
parameters: {w: 10, n: {}}
weight_decay: {stages: [{hold: 1, over: 1}, {hold: 2}]}
lr: {stages: [{warmup: linear, over: $w}, {hold: 1x, over: 80%}, {decay: linear, over: 0.1dur}]}
groups: {head: {lr: {stages: [{hold: 1, over: 1}, {hold: 2}]}}}
"""


def test_stages_are_told_with_their_labels_and_steps() -> None:
    assert stages_of(codec.from_dict(yaml.safe_load(WSD))) == [
        StageSpan("warmup", 0, 4),
        StageSpan("stable", 4, 7),
        StageSpan("decay", 7, None),
    ]


def test_a_stage_without_a_label_has_its_kind() -> None:
    schedule = S.MultiStepLR([3]).then(S.StepLR(5), at=9)
    assert stages_of(schedule) == [("multi_step_lr", 0, 9), ("step_lr", 9, None)]


def test_torchs_sequential_lr_has_stages_too() -> None:
    schedule = S.SequentialLR([S.ConstantLR(), S.StepLR(5), S.StepLR(6)], [5, 9])
    assert stages_of(schedule) == [("constant_lr", 0, 5), ("step_lr", 5, 9), ("step_lr", 9, None)]


def test_what_has_no_stages_has_none() -> None:
    assert stages_of(S.StepLR(5)) == []


def test_the_stages_of_tracks_are_those_of_the_lr_of_all_groups() -> None:
    found = stages_in(codec.message_of(yaml.safe_load(TRACKS)))
    assert found == [("warmup", 0, 10), ("hold", 10, 90), ("decay", 90, None)]


def test_parameters_may_stand_in_expressions() -> None:
    found = stages_in(codec.message_of(yaml.safe_load(TRACKS.replace("$w", "$(2 * w + 1)"))))
    assert [stage.first for stage in found] == [0, 21, 101]


def test_what_hangs_on_a_parameter_that_is_not_known_has_no_stages() -> None:
    assert stages_in(codec.message_of(yaml.safe_load(TRACKS.replace("$w", "$n")))) == []


@pytest.mark.parametrize(
    ("definition", "per_step", "firsts"),
    [
        ("stages: [{hold: 1, over: 2.5}, {hold: 2}]", {}, [0, 3]),
        ("stages: [{hold: 1, over: 2}, {hold: 2}]\nboundary: earlier", {}, [0, 3]),
        ("stages: [{hold: 1, over: 2.5}, {hold: 2}]\nboundary: earlier", {}, [0, 3]),
        ("stages: [{hold: 1, over: 10tok}, {hold: 2}]", {}, []),
        ("stages: [{hold: 1, over: 10tok}, {hold: 2}]", {"tokens": 4}, [0, 3]),
        ("stages: [{hold: 1, over: 2ep}, {hold: 2}]", {"epochs": 0.01}, [0, 200]),
        ("stages: [{hold: 1, over: 3ep}, {hold: 2}]", {"epochs": 0.1}, [0, 30]),
    ],
)
def test_a_stage_begins_with_the_first_step_that_is_its_own(
    definition: str, per_step: Mapping[str, float], firsts: list[int]
) -> None:
    found = stages_of(codec.from_dict(yaml.safe_load(definition)), per_step)
    assert [stage.first for stage in found] == firsts
