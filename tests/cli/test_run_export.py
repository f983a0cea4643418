"""`lrkeeper run export`: what a run had, and how to go on without lrkeeper."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
import torch

from lrkeeper import Client, lr_scheduler
from lrkeeper import schedules as S
from tests.cli.conftest import Cli
from tests.cli.jobs import start, trained
from tests.client.classes import CLASSES, OPTIMIZERS, TORCH, bits, run

EXPORTED = [
    name
    for name in CLASSES
    if not any(word in name for word in ("Lambda", "Multiplicative", "fn", "functions"))
    and name != "ChainedScheduler"  # with a LambdaLR in it
]


@pytest.fixture(autouse=True)
def at_the_server(monkeypatch: pytest.MonkeyPatch, client: Client) -> None:
    monkeypatch.setenv("LRKEEPER_SERVER", client.server)


@pytest.mark.filterwarnings("ignore:.*optimizer.step")
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("name", EXPORTED)
def test_torch_goes_on_from_what_is_exported(cli: Cli, client: Client, name: str, optimizer: Any) -> None:
    ours = CLASSES[name](lr_scheduler, optimizer())
    run(ours, 0, 12)
    text = cli.out("run", "export", ours.state_dict()["lrkeeper"]["run"], "--as", "torch", "--at-step", "12")
    left = optimizer()
    left.load_state_dict(ours.optimizer.state_dict())
    names: dict[str, Any] = {"optimizer": left}
    for group in left.param_groups:
        group["lr"] = torch.tensor(0.1) if torch.is_tensor(group["lr"]) else 0.1
    exec(text, names)
    assert "lrkeeper" not in text
    theirs = CLASSES[name](TORCH, optimizer())
    run(theirs, 0, 12)
    assert bits(left) == bits(theirs.optimizer)
    assert run(names["scheduler"], 12, 24) == run(theirs, 12, 24)


@pytest.mark.filterwarnings("ignore:.*optimizer.step")
def test_tensors_are_exported_with_all_their_digits(cli: Cli, client: Client) -> None:
    def optimizer() -> torch.optim.Optimizer:
        lrs = torch.tensor(0.123456789), torch.tensor(0.0000123456789)
        groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": lr} for lr in lrs]
        return torch.optim.SGD(groups, momentum=0.9)

    def chained(module: Any) -> Any:
        found = optimizer()
        first = module.OneCycleLR(found, [torch.tensor(0.3), 0.1], 40)
        members = [first, module.ExponentialLR(found, torch.tensor(0.987654321))]
        return module.ChainedScheduler(members)

    ours, theirs = chained(lr_scheduler), chained(TORCH)
    run(ours, 0, 12)
    run(theirs, 0, 12)
    names: dict[str, Any] = {"optimizer": optimizer()}
    names["optimizer"].load_state_dict(ours.optimizer.state_dict())
    name = ours.state_dict()["lrkeeper"]["run"]
    exec(cli.out("run", "export", name, "--as", "torch", "--at-step", "12"), names)
    assert run(names["scheduler"], 12, 24) == run(theirs, 12, 24)


def test_csv_and_json_have_every_committed_value(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, S.ExponentialLR(0.9), to=7)
    expected = [0.1]
    for _ in range(7):
        expected.append(expected[-1] * 0.9)
    lines = list(csv.reader(io.StringIO(cli.out("run", "export", name))))
    assert lines[0] == ["step", "lr[0]"]
    assert [(int(step), float(lr)) for step, lr in lines[1:]] == list(enumerate(expected))
    found = json.loads(cli.out("run", "export", name, "--as", "json"))
    assert [(step["step"], step["values"]["lr"]) for step in found["steps"]] == [
        (step, [lr]) for step, lr in enumerate(expected)
    ]


def test_what_no_torch_scheduler_makes_is_said(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, S.StepLR(2).then(S.StepLR(3), at=4), to=5)
    refused = cli("run", "export", name, "--as", "torch")
    assert refused.exit_code == 1
    assert "Sequence is no class of torch" in refused.stderr
    ours = CLASSES["LambdaLR"](lr_scheduler, OPTIMIZERS["SGD, floats"]())
    run(ours, 0, 3)
    refused = cli("run", "export", ours.state_dict()["lrkeeper"]["run"], "--as", "torch")
    assert "LambdaLR calls functions of the job" in refused.stderr


def test_an_edited_run_is_no_single_scheduler(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, S.StepLR(2), to=5)
    client.edit_run(name, S.StepLR(3), expected_revision=1, reason="to see")
    refused = cli("run", "export", name, "--as", "torch")
    assert (refused.exit_code, "was edited" in refused.stderr) == (1, True)


def test_a_branch_that_the_run_has_left_is_no_place_to_go_on_from(
    cli: Cli, client: Client, name: str
) -> None:
    trained(client, name, S.StepLR(2), to=5)
    client.finish_run(name)
    start(client, name, S.StepLR(3), on_existing="new_branch")
    refused = cli("run", "export", name, "--as", "torch", "--branch", "1")
    assert (refused.exit_code, "branch 1 is not the one" in refused.stderr) == (1, True)
    assert len(cli.out("run", "export", name, "--branch", "1").splitlines()) == 7
