"""`lrkeeper schedule lint`: every trap it knows, and that what is well made has none."""

from __future__ import annotations

import json

import pytest
import yaml

from lrkeeper.schedules.lint import lint
from tests.cli.conftest import Cli

WELL_MADE = """
total: 100000ba
lr:
  base: 3e-4
  stages:
    - {warmup: linear, over: 2000ba, counting: from_one}
    - {hold: 1x, over: 0.88dur}
    - {decay: 1-sqrt, over: 0.1dur}
weight_decay: "0.1 * lr / base_lr"
groups: {head: {lr: {scale: 2}}}
"""
EXTENDS = "ramp: {from: 1x, to: 0, over: 30, ease: cosine, after: extend}"
TORCHS = """
sequential_lr:
  schedulers: [{multi_step_lr: {milestones: [10, 20]}}, {step_lr: {step_size: 5}}]
  milestones: [20]
"""

TRAPS = {
    "a cosine that rises again": (EXTENDS, "ramp.after", "rises again", "after: hold"),
    "torch's cosine over more steps": (
        "cosine_annealing_lr: {T_max: 10}",
        "cosine_annealing_lr.T_max",
        "steps go up to 50",
        "T_max: 50",
    ),
    "a warmup counted twice": (
        WELL_MADE.replace("0.1dur", "1dur"),
        "lr.stages[2]",
        "it would end at 190000ba",
        "over: 10000ba",
    ),
    "a short warmup counted twice": (
        "total: 50ba\nlr: {warmup: {over: 5, counting: from_one}, cosine: {to: 0, over: 100%}}",
        "lr.cosine",
        "counted twice",
        "over: 45ba",
    ),
    "torch's schedules over the whole after a warmup": (
        "total: 50ba\nlr: {warmup: {over: 5, counting: from_one}, cosine_annealing_lr: {T_max: 50}}",
        "lr",
        "counted twice",
        "over: 45ba",
    ),
    "stages that end early": (
        WELL_MADE.replace("0.88dur", "0.8dur"),
        "lr",
        "the stages end at 92000ba, and all is over at 100000ba: the last value holds",
        "total: 92000ba",
    ),
    "stages that end late": (
        WELL_MADE.replace("0.88dur", "0.9dur"),
        "lr",
        "its end is never reached",
        "add up to 100000ba",
    ),
    "a stage that never begins": (
        WELL_MADE.replace("0.88dur", "1.5dur"),
        "lr.stages[2]",
        "starts at 152000ba, and all is over at 100000ba",
        "shorter stages before it",
    ),
    "a torch scheduler that never begins": (
        TORCHS.replace("[20]", "[60]"),
        "sequential_lr.schedulers[1]",
        "starts at 60ba",
        "shorter stages",
    ),
    "a stage without an end": (
        "stages: [{hold: 1x}, {decay: linear, over: 9}]",
        "stages[0]",
        "never ends, and stages come after it: write `over`",
        "",
    ),
    "a jump up": (
        "stages: [{hold: 0.1x, over: 50}, {hold: 1x}]",
        "stages[1]",
        "begins with 0.1 at 50ba, and the stage before ends with 0.01",
        "from: prev",
    ),
    "a jump down, at the earlier stage's step": (
        "boundary: earlier\nstages: [{hold: 1x, over: 5}, {hold: 0.1x}]",
        "stages[1]",
        "begins with 0.01 at 5ba",
        "from: prev",
    ),
    "an lr of 0 at first": ("warmup: 100ba", "warmup", "the lr is 0 at step 0", "counting: from_one"),
    "an lr of 0 at first, in stages": (
        "stages: [{warmup: linear, over: 9}, {hold: 1x}]",
        "stages[0]",
        "the first optimizer step changes nothing",
        "from: 1%",
    ),
    "an lr below 0": (
        "lr: {stages: [{hold: 1x, over: 10}, {ramp: linear, from: 1x, to: -1e-4, over: 20}]}",
        "lr",
        "lr is below 0 at",
        "an end of 0 or more",
    ),
    "a formula without a value": (
        "lr: {stages: [{hold: 1, over: 10}, {expression: 1 + base / abs(step - 501)}]}\ntotal: 1000",
        "lr",
        "has no value at 501ba: a run would end there",
        "a formula that has one at every time",
    ),
    "an lr of 0": ("lr: 0", "lr", "the lr is 0 at step 0", "a value above 0"),
    "a part of no total": (
        "lr: {cosine: {to: 0, over: 90%}}",
        "lr.cosine.over",
        "is 0.9 of the total, and there is no total",
        "total: 100000ba",
    ),
    "a part of no total, for the lr alone": (
        "cosine: {to: 0, over: 0.9dur}",
        "cosine.over",
        "there is no total",
        "a length in steps",
    ),
    "a total of itself": ("total: 50%\nlr: 1x", "total", "there is no total", "a length in steps"),
    "a parameter that is not there": (
        "parameters: {warmup_steps: 5}\nlr: {ramp: {from: 1%, over: $warmup_stpes}}",
        "lr.ramp.over",
        "of the parameter $warmup_stpes, which the definition does not have",
        "$warmup_steps",
    ),
    "torch going back to the base lr": (
        TORCHS,
        "sequential_lr.milestones[0]",
        "0.01 at step 19, 0.1 at step 20",
        "goes on from the value reached",
    ),
    "a ramp that is cut off": (
        "stages: [{cosine: {to: 0, over: 80}, over: 50}, {hold: prev}]",
        "stages[0].cosine.over",
        "is 80ba, and it is cut off after 50ba",
        "over: 50ba",
    ),
    "a ramp longer than the run": (
        "cosine: {to: 0, over: 80}",
        "cosine.over",
        "cut off after 50ba",
        "over: 50ba",
    ),
    "a last step short of the end": (
        "cosine: {to: 0, over: 50}",
        "cosine",
        "its last step is 49, where 2% of the way",
        "from_one",
    ),
    "a counting that never gets to the end": (
        "stages: [{ramp: linear, from: 1%, over: 9, counting: inside}, {hold: 1x}]",
        "stages[0].counting",
        "10% of the way to its end is left",
        "to_last",
    ),
    "a link to an lr of 0": (
        "lr: {warmup: 100ba}\nweight_decay: 0.1 * lr / base_lr",
        "weight_decay",
        "so is what weight_decay has of it",
        "a schedule of its own",
    ),
    "a link to a base lr of 0": (
        "lr: {base: 0, constant: 0.1}\nweight_decay: 0.1 * lr / base_lr",
        "weight_decay",
        "divides by base_lr, and the base lr is 0",
        "a base above 0",
    ),
    "a wrong number": ("step_lr: {step_size: -3}", "step_lr", "step_size is -3", ""),
    "a wrong word": ("stpe_lr: {}", "stpe_lr", "did you mean step_lr?", ""),
}

FINE = {
    "a warmup, a plateau and a decay that meet": WELL_MADE,
    "a cosine that goes on and is cut in time": f"stages: [{{schedule: {{{EXTENDS}}}, over: 30}}, {{hold: prev}}]",
    "torch's own warmup": (
        "sequential_lr: {schedulers: [{linear_lr: {start_factor: 0.1}}, {step_lr: {step_size: 30}}], milestones: [5]}"
    ),
    "a torch class": "step_lr: {step_size: 3}",
    "a decay whose last step is at its end": "cosine: {to: 0, over: 50, }".replace(
        "50, ", "50, counting: from_one"
    ),
    "stages of tokens under a total of steps": (
        "total: 50ba\nlr: {stages: [{hold: 1x, over: 3tok}, {decay: linear, over: 9tok}]}"
    ),
    "a parameter without a value": "parameters: {n: {}}\nlr: {decay: linear, over: $n}",
    "a link to a lr of another name": "lr: {warmup: 9, }".replace("9, ", "{over: 9, counting: from_one}")
    + "\nmomentum: 0.9\nweight_decay: 2 * momentum",
}


@pytest.mark.parametrize(("written", "path", "problem", "instead"), TRAPS.values(), ids=TRAPS)
def test_a_trap_is_found_where_it_is_written(written: str, path: str, problem: str, instead: str) -> None:
    findings = lint(yaml.safe_load(written), steps=50 if "total" not in written else None)
    (found,) = [finding for finding in findings if problem in finding.problem]
    assert found.path == path
    assert instead in found.instead
    assert bool(instead) == bool(found.instead)


@pytest.mark.parametrize("written", FINE.values(), ids=FINE)
def test_what_is_well_made_has_no_trap(written: str) -> None:
    assert lint(yaml.safe_load(written)) == []


def test_a_trap_in_several_groups_is_told_once() -> None:
    written = "lr: {warmup: 100ba}\ngroups: {a: {lr: {scale: 2}}, b: {lr: {scale: 3}}}"
    assert [finding.path for finding in lint(yaml.safe_load(written))] == ["lr.warmup"]


def test_findings_make_status_1(cli: Cli) -> None:
    result = cli("schedule", "lint", "-", input="name: x\nschedule: {warmup: 9}")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "schedule.warmup: the lr is 0 at step 0: the first optimizer step changes nothing",
        "    instead: counting: from_one (the first step has 1/W of a warmup over W steps), or from: 1%",
    ]


def test_nothing_found_is_status_0(cli: Cli) -> None:
    assert (
        cli.out("schedule", "lint", "-", input="step_lr: {step_size: 3}") == "standard input: nothing found\n"
    )
    assert json.loads(cli.out("schedule", "lint", "-", "--json", input="step_lr: {step_size: 3}")) == []


def test_findings_as_json(cli: Cli) -> None:
    result = cli("schedule", "lint", "-", "--json", "--steps", "5", input="cosine: {to: 0, over: 9}")
    assert result.exit_code == 1
    (found,) = json.loads(result.stdout)
    assert found["path"] == "cosine.over"
    assert found["instead"] == "over: 5ba"


def test_a_file_that_is_no_yaml_is_an_error(cli: Cli) -> None:
    result = cli("schedule", "lint", "-", input="a: [")
    assert result.exit_code == 1
    assert "Error: standard input: line 1" in result.stderr
