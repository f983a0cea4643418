"""Jobs whose schedule moves more than the lr."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from lrkeeper import Client, RemoteLR
from lrkeeper import schedules as S
from lrkeeper.errors import GroupsDiffer, ScheduleDiffers, ScheduleFails

ZERO = S.Level(absolute=0)
FALLING = S.Ramp(S.Span(steps=4), end=ZERO)
DECAY = S.Tracks(
    [S.Track(FALLING), S.Track(name="weight_decay", link="base_weight_decay * lr / base_lr")],
)
NAMED = S.Tracks(
    [
        S.Track(FALLING),
        S.Track(FALLING, group="encoder.*", scale=0.5),
        S.Track(S.StepLR(2, 0.5), group="encoder.1"),
        S.Track(S.Constant(), "weight_decay", base=0.3),
        S.Track(S.Constant(S.Level(absolute=0)), "weight_decay", group="head"),
        S.Track(S.Ramp(S.Span(steps=2), end=S.Level(absolute=0.99)), "beta2"),
    ]
)


class Job:
    """An AdamW with named param groups, and what it used at each of its steps."""

    def __init__(self, *names: str | None, **fields: Any) -> None:
        self.layers = [nn.Linear(2, 2) for _ in names or (None,)]
        made: list[dict[str, Any]] = [
            {"params": layer.parameters(), **({} if name is None else {"name": name})}
            for layer, name in zip(self.layers, names or (None,), strict=True)
        ]
        self.optimizer = torch.optim.AdamW(made, **{"lr": 0.1, "weight_decay": 0.02, **fields})
        self.used: list[list[tuple[float, ...]]] = []

    def _note(self, *_: Any) -> None:
        self.used.append(self.held())

    def held(self) -> list[tuple[float, ...]]:
        """The lr, weight decay and second beta of each group."""
        return [
            (float(g["lr"]), float(g["weight_decay"]), g["betas"][1]) for g in self.optimizer.param_groups
        ]

    def train(self, scheduler: RemoteLR, steps: int) -> list[list[tuple[float, ...]]]:
        for _ in range(steps):
            self.optimizer.zero_grad()
            sum(layer(torch.ones(4, 2)).pow(2).mean() for layer in self.layers).backward()
            last_hook = self.optimizer.register_step_pre_hook(self._note)
            self.optimizer.step()
            last_hook.remove()
            scheduler.step()
        return self.used[-steps:]


EXPECTED = [
    [(0.1, 0.02, 0.999)],
    [(pytest.approx(0.075), pytest.approx(0.015), 0.999)],
    [(0.05, 0.01, 0.999)],
]


@pytest.mark.parametrize("mode", ["on", "off"])
def test_a_weight_decay_follows_the_lr(server: Any, run: str, mode: str) -> None:
    job = Job()
    scheduler = RemoteLR(job.optimizer, DECAY, run=run, mode=mode)
    assert job.train(scheduler, 3) == EXPECTED
    assert scheduler.get_last_lr() == [pytest.approx(0.025)]


def test_named_groups_have_what_their_most_specific_track_says(client: Client, run: str) -> None:
    job = Job("encoder.0", "encoder.1", "head")
    job.train(RemoteLR(job.optimizer, NAMED, run=run), 3)
    assert job.used[0] == [(0.05, 0.3, 0.999), (0.1, 0.3, 0.999), (0.1, 0, 0.999)]
    assert job.used[2] == [(0.025, 0.3, 0.99), (0.05, 0.3, 0.99), (0.05, 0, 0.99)]
    assert job.optimizer.param_groups[0]["betas"] == (0.9, 0.99)
    row = client.explain(run, 2).values.row(2)
    assert row == {"beta2": (0.99,) * 3, "lr": (0.025, 0.05, 0.05), "weight_decay": (0.3, 0.3, 0.0)}


@pytest.mark.parametrize("mode", ["on", "off"])
def test_the_same_bits_come_with_a_server_and_without(server: Any, run: str, mode: str) -> None:
    job, other = Job("encoder.0", "encoder.1", None), Job("encoder.0", "encoder.1", None)
    used = job.train(RemoteLR(job.optimizer, NAMED, run=run, mode=mode), 6)
    assert used == other.train(RemoteLR(other.optimizer, NAMED, mode="off"), 6)


@pytest.mark.parametrize("mode", ["on", "off"])
def test_a_resumed_job_goes_on_with_the_same_values(server: Any, run: str, mode: str) -> None:
    whole = Job("encoder.0", "encoder.1")
    expected = whole.train(RemoteLR(whole.optimizer, NAMED, mode="off"), 5)
    first = Job("encoder.0", "encoder.1")
    scheduler = RemoteLR(first.optimizer, NAMED, run=run, mode=mode)
    first.train(scheduler, 3)
    states = first.optimizer.state_dict(), scheduler.state_dict()
    for order in (0, 1):
        again = Job("encoder.0", "encoder.1")
        later = RemoteLR(again.optimizer, NAMED, run=run, mode=mode)
        for what in (again.optimizer, later) if order else (later, again.optimizer):
            what.load_state_dict(states[0 if what is again.optimizer else 1])
        assert again.train(later, 2) == expected[3:]


def test_a_job_that_loads_its_optimizer_before_it_builds_the_scheduler_has_the_same_base(
    server: Any, run: str
) -> None:
    first = Job()
    first.train(RemoteLR(first.optimizer, DECAY, run=run), 3)
    again = Job()
    again.optimizer.load_state_dict(first.optimizer.state_dict())
    scheduler = RemoteLR(again.optimizer, DECAY, run=run, on_existing="takeover")
    assert again.train(scheduler, 3) == EXPECTED


def test_tensors_are_written_in_place(server: Any, run: str) -> None:
    job = Job(lr=torch.tensor(0.1), weight_decay=0.02)
    decay = job.optimizer.param_groups[0]["weight_decay"] = torch.tensor(0.02, dtype=torch.float64)
    job.train(RemoteLR(job.optimizer, DECAY, run=run), 2)
    group = job.optimizer.param_groups[0]
    assert group["weight_decay"] is decay
    assert group["lr"].dtype == torch.float32
    assert decay.item() == pytest.approx(0.01)


def test_a_number_of_the_jobs_own_is_a_track(server: Any, run: str) -> None:
    job = Job()
    job.optimizer.param_groups[0]["alpha"] = 8
    schedule = S.Tracks([S.Track(FALLING), S.Track(S.StepLR(1, 0.5), "alpha"), S.Track(FALLING, "eps")])
    job.train(RemoteLR(job.optimizer, schedule, run=run), 2)
    assert job.optimizer.param_groups[0]["alpha"] == 2.0
    assert job.optimizer.param_groups[0]["eps"] == 5e-9


def test_an_optimizer_without_the_number_is_refused_at_construction(server: Any) -> None:
    schedule = S.Tracks([S.Track(FALLING), S.Track(FALLING, "alpha")])
    with pytest.raises(
        ValueError, match="the schedule moves alpha, and param group 0 of the AdamW has only beta2"
    ):
        RemoteLR(Job().optimizer, schedule)
    job = Job()
    job.optimizer.param_groups[0]["alpha"] = "big"
    with pytest.raises(TypeError, match="param group 0 has alpha='big'; the schedule moves it"):
        RemoteLR(job.optimizer, schedule)
    rprop = torch.optim.Rprop(nn.Linear(2, 2).parameters())
    with pytest.raises(ValueError, match=r"moves momentum \(of a torch class with cycle_momentum"):
        RemoteLR(rprop, S.OneCycleLR(0.1, 10))


def test_a_change_by_other_code_is_overwritten_with_a_warning(server: Any, run: str) -> None:
    job = Job()
    scheduler = RemoteLR(job.optimizer, DECAY, run=run)
    job.train(scheduler, 1)
    job.optimizer.param_groups[0]["weight_decay"] = 7.0
    with pytest.warns(UserWarning, match="the weight_decay of param group 0 was changed from 0.015"):
        scheduler.step()
    assert job.held() == EXPECTED[2]


@pytest.mark.parametrize("mode", ["on", "off"])
def test_groups_that_are_added_in_training_follow_their_tracks(server: Any, run: str, mode: str) -> None:
    def add(job: Job) -> None:
        job.layers.append(nn.Linear(2, 2))
        job.optimizer.add_param_group(
            {"params": job.layers[-1].parameters(), "name": "encoder.9", "weight_decay": 0.5}
        )

    job = Job("head")
    scheduler = RemoteLR(job.optimizer, NAMED, run=run, mode=mode)
    job.train(scheduler, 1)
    add(job)
    job.train(scheduler, 1)
    assert job.train(scheduler, 1) == [[(0.05, 0, 0.99), (0.025, 0.3, 0.99)]]
    states = job.optimizer.state_dict(), scheduler.state_dict()
    again = Job("head")
    add(again)
    later = RemoteLR(again.optimizer, NAMED, run=run, mode=mode)
    again.optimizer.load_state_dict(states[0])
    later.load_state_dict(states[1])
    again.train(later, 1)
    assert again.held() == [(0.0, 0, 0.99), (0.0, 0.3, 0.99)]


@pytest.mark.usefixtures("step_by_step")
def test_a_run_is_edited_to_tracks_and_back(client: Client, run: str) -> None:
    job = Job()
    scheduler = RemoteLR(job.optimizer, DECAY, run=run)
    job.train(scheduler, 1)
    client.edit_run(run, S.StepLR(1, 0.5), expected_revision=1, reason="lr alone")
    assert job.train(scheduler, 2)[1] == [(0.025, 0.02, 0.999)]
    other = S.Tracks([S.Track(S.Constant()), S.Track(S.Constant(S.Level(relative=2)), "weight_decay")])
    client.edit_run(run, other, expected_revision=2, reason="both")
    assert job.train(scheduler, 2)[1] == [(0.1, 0.04, 0.999)]


def test_a_run_that_began_with_the_lr_alone_takes_no_other_track(client: Client, run: str) -> None:
    job = Job()
    scheduler = RemoteLR(job.optimizer, FALLING, run=run)
    job.train(scheduler, 1)
    with pytest.raises(
        ScheduleFails, match="the definition moves weight_decay, and the param groups have lr only"
    ):
        client.edit_run(run, DECAY, expected_revision=1, reason="decay")
    client.edit_run(run, S.Tracks([S.Track(S.Constant())]), expected_revision=1, reason="the lr is there")
    assert job.train(scheduler, 2)[1] == [(0.1, 0.02, 0.999)]


def test_a_state_of_tracks_that_the_optimizer_does_not_have_is_refused(server: Any, run: str) -> None:
    job = Job()
    job.optimizer.param_groups[0]["alpha"] = 1.0
    schedule = S.Tracks([S.Track(FALLING), S.Track(FALLING, "alpha")])
    scheduler = RemoteLR(job.optimizer, schedule, run=run)
    job.train(scheduler, 1)
    other = RemoteLR(Job().optimizer, FALLING, run=run)
    with pytest.raises(
        GroupsDiffer, match="the schedule moves alpha, and param group 0 of the AdamW has only"
    ):
        other.load_state_dict(scheduler.state_dict())


HALFWAY = S.Tracks(
    [S.Track(S.Ramp(S.Span(parameter="total_steps"), end=S.Level(parameter="final")), base_parameter="peak")],
    parameters=[S.Parameter("total_steps"), S.Parameter("final", 0), S.Parameter("peak")],
)


@pytest.mark.parametrize("mode", ["on", "off"])
def test_a_job_gives_numbers_to_its_definition(server: Any, run: str, mode: str) -> None:
    job = Job()
    parameters = {"total_steps": 4, "peak": 0.8}
    scheduler = RemoteLR(job.optimizer, HALFWAY, run=run, mode=mode, parameters=parameters)
    assert [row[0][0] for row in job.train(scheduler, 5)] == pytest.approx([0.8, 0.6, 0.4, 0.2, 0.0])
    again = Job()
    later = RemoteLR(again.optimizer, HALFWAY, run=run, mode=mode, parameters=parameters)
    later.load_state_dict(scheduler.state_dict())
    again.train(later, 1)
    assert again.used[-1][0][0] == 0.0


def test_a_job_gives_numbers_to_a_stored_definition(client: Client, run: str) -> None:
    stored = client.create_schedule(f"{run}-halfway", HALFWAY)
    job = Job()
    scheduler = RemoteLR(job.optimizer, stored.name, run=run, parameters={"total_steps": 4})
    job.train(scheduler, 2)
    assert client.get_run(run).schedule_name == stored.name
    again = Job()
    later = RemoteLR(again.optimizer, stored.name, run=run, parameters={"total_steps": 8})
    later.load_state_dict(scheduler.state_dict())
    with pytest.raises(ScheduleDiffers, match=r"parameters \{'total_steps': 8.0\}, and run .* began with"):
        again.train(later, 1)


def test_numbers_that_are_missing_or_wrong_are_refused_at_construction(server: Any, run: str) -> None:
    with pytest.raises(ValueError, match="needs a number for total_steps"):
        RemoteLR(Job().optimizer, HALFWAY, run=run)
    with pytest.raises(ValueError, match=r"no parameter 'peek'.*did you mean 'peak'"):
        RemoteLR(Job().optimizer, HALFWAY, run=run, parameters={"peek": 1})


def test_a_preset_is_a_schedule_like_any_other(client: Client, run: str) -> None:
    job = Job()
    parameters = {"total_steps": 10, "warmup_steps": 2, "decay_fraction": 0.4, "peak": 0.8}
    scheduler = RemoteLR(job.optimizer, "presets/wsd", run=run, parameters=parameters)
    lrs = [row[0][0] for row in job.train(scheduler, 11)]
    assert lrs[:7] == pytest.approx([0, 0.4, 0.8, 0.8, 0.8, 0.8, 0.8])
    assert lrs[7:] == pytest.approx([0.4, 0.8 * (1 - 0.5**0.5), 0.8 * (1 - 0.75**0.5), 0])
    again = Job()
    later = RemoteLR(again.optimizer, "presets/wsd", run=run, parameters=parameters)
    later.load_state_dict(scheduler.state_dict())
    again.train(later, 1)
    assert client.get_run(run).schedule_name == ""


@pytest.mark.parametrize("mode", ["on", "off"])
def test_metrics_and_functions_of_the_job_reach_the_tracks(server: Any, run: str, mode: str) -> None:
    job = Job("encoder.0", "head")
    schedule = S.Tracks(
        [
            S.Track(S.LambdaLR(lambda step: 1 / (1 + step))),
            S.Track(S.ReduceLROnPlateau(patience=0, factor=0.5), "weight_decay", group="head"),
        ]
    )
    assert schedule.takes_metric
    scheduler = RemoteLR(job.optimizer, schedule, run=run, mode=mode)
    for _ in range(3):
        job.optimizer.step()
        scheduler.step(1.0)
    assert job.held() == [(0.025, 0.02, 0.999), (0.025, 0.005, 0.999)]
