"""A server that stays away beyond the window: the job goes on as was chosen, and what it used is on record."""

from __future__ import annotations

import pickle
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
import torch

from lrkeeper import Client, RemoteLR, lr_scheduler, views
from lrkeeper import schedules as S
from lrkeeper.errors import BadCheckpoint, RunFenced, ServerUnavailable, WrongBranch
from lrkeeper.torch.outage import plan_for
from tests.client.relay import Relay
from tests.client.training import SHAPES, Training
from tests.support.server import ServerProcess

SOON = 0.2
"""Seconds that a step of these tests waits for a server."""

FALLING = S.ExponentialLR(0.9)
HORIZON = 0.1


class _Always(list[grpc.StatusCode]):
    """Refuses every call."""

    def __bool__(self) -> bool:
        return True

    def pop(self, _: Any = -1) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE


@contextmanager
def away(relay: Relay) -> Iterator[None]:
    """Within, the server cannot be reached."""
    for method in ("NextLr", "AcquireRun", "GetServer", "GetRun", "ReportDeviation", "FinishRun"):
        relay.refuse[method] = _Always()
    try:
        yield
    finally:
        relay.refuse.clear()


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrkeeper.connection._LOUD_AFTER", 0.0)
    monkeypatch.setattr("lrkeeper.torch.walk._GRACE", SOON)
    monkeypatch.setattr("lrkeeper.torch.supply._PATIENCE", 0.05)
    monkeypatch.setattr("lrkeeper.torch.position._LOOK_SECONDS", 0.05)
    monkeypatch.setattr("lrkeeper.torch.holder._LOOK_SECONDS", 0.05)
    monkeypatch.setattr("lrkeeper.torch.source._LOOK_SECONDS", 0.05)


def made(training: Training, **options: Any) -> RemoteLR:
    return RemoteLR(training.optimizer, FALLING, max_stall=SOON, **{"horizon": HORIZON, **options})


def position(scheduler: Any) -> Any:
    return scheduler._hold.position


def is_out(scheduler: Any) -> bool:
    return position(scheduler)._outage is not None


@pytest.fixture
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="step .* has no value from the server")
        yield


def goes_out(training: Training, scheduler: Any, *args: Any) -> int:
    """Train until the rows have run out; return the last step that had the run's."""
    for _ in range(5000):
        before = scheduler.last_epoch
        training.update()
        scheduler.step(*args)
        if is_out(scheduler):
            return int(before)
    raise AssertionError("there was no outage")


def comes_back(training: Training, scheduler: Any, *args: Any) -> int:
    """Train until the run answers again; return the last step that had not the run's values."""
    for _ in range(5000):
        before = scheduler.last_epoch
        training.update()
        scheduler.step(*args)
        if not is_out(scheduler):
            return int(before)
        time.sleep(0.002)
    raise AssertionError("the outage did not end")


def falling(count: int, *lrs: Any) -> list[Any]:
    training = Training(*lrs)
    return training.epochs(torch.optim.lr_scheduler.ExponentialLR(training.optimizer, 0.9), count)


def recorded(client: Client, scheduler: Any) -> list[tuple[str, int, list[tuple[str, ...]]]]:
    """What is on record of a scheduler's run: kind, first step, and the lrs of each step."""
    run = client.get_run(scheduler.state_dict()["lrkeeper"]["run"])
    return [(d.kind, d.values.first_step, rows_of(d)) for d in run.deviations]


def rows_of(deviation: views.Deviation) -> list[tuple[str, ...]]:
    table = deviation.values
    return [tuple(v.hex() for v in table.row(step)["lr"]) for step in range(table.first_step, table.end_step)]


# What is chosen.


@pytest.mark.parametrize(
    ("said", "together", "plan"),
    [
        ("auto", True, "forecast"),
        ("auto", False, "wait"),
        ("wait", True, "wait"),
        ("wait", False, "wait"),
        ("hold", True, "hold"),
        ("forecast", True, "forecast"),
    ],
)
def test_what_is_planned_hangs_on_whether_ranks_can_part(said: str, together: bool, plan: str) -> None:
    assert plan_for(said, together=together) == plan


@pytest.mark.parametrize("by", ["keyword", "environment"])
@pytest.mark.parametrize("choice", ["hold", "forecast"])
def test_ranks_that_could_part_are_refused_at_construction(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch, choice: Any, by: str
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LRKEEPER_INCARNATION", "both")
    if by == "environment":
        monkeypatch.setenv("LRKEEPER_ON_OUTAGE", choice)
    with pytest.raises(ValueError, match=f"on_outage is '{choice}'.*sync='broadcast'"):
        RemoteLR(Training().optimizer, FALLING, on_outage=choice if by == "keyword" else None)


def test_a_choice_that_there_is_not_is_refused(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRKEEPER_ON_OUTAGE", "panic")
    with pytest.raises(ValueError, match=r"LRKEEPER_ON_OUTAGE.*'panic'.*'forecast'"):
        RemoteLR(Training().optimizer, FALLING)


# What is used, and recorded.


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("choice", ["auto", "forecast"])
@pytest.mark.parametrize("lrs", [(0.1,), (0.1, 0.02)], ids=["one group", "two groups"])
def test_a_forecast_is_what_the_schedule_gives_and_is_recorded_once(
    relay: Relay, client: Client, choice: Any, lrs: tuple[float, ...]
) -> None:
    training = Training(*lrs)
    scheduler = made(training, on_outage=choice)
    training.epochs(scheduler, 5)
    assert recorded(client, scheduler) == []
    with away(relay):
        last = goes_out(training, scheduler)
        training.epochs(scheduler, 20)
    end = comes_back(training, scheduler)
    training.epochs(scheduler, 10)
    expected = falling(len(training.used) + 1, *lrs)
    assert [*training.used, training.lrs()] == expected
    assert recorded(client, scheduler) == [("forecast", last + 1, expected[last + 1 : end + 1])]
    run = scheduler.state_dict()["lrkeeper"]["run"]
    (at,) = client.explain(run, last + 3).deviations
    assert (at.kind, at.fence, at.rank) == ("forecast", 1, 0)
    assert client.explain(run, last).deviations == client.explain(run, end + 1).deviations == ()


@pytest.mark.usefixtures("quiet")
def test_values_that_are_held_are_the_last_ones_and_are_recorded(relay: Relay, client: Client) -> None:
    training = Training(0.1, 0.02)
    scheduler = made(training, on_outage="hold")
    training.epochs(scheduler, 5)
    with away(relay):
        last = goes_out(training, scheduler)
        training.epochs(scheduler, 10)
    end = comes_back(training, scheduler)
    training.epochs(scheduler, 5)
    expected = falling(len(training.used), 0.1, 0.02)
    assert training.used[last : end + 1] == [expected[last]] * (end + 1 - last)
    assert training.used[: last + 1] == expected[: last + 1]
    assert training.used[end + 1 :] == expected[end + 1 :], "afterwards the run's values rule"
    assert recorded(client, scheduler) == [("hold", last + 1, [expected[last]] * (end - last))]


def test_a_job_that_waits_raises_in_the_end_and_goes_on_with_the_runs_values(
    relay: Relay, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    training = Training()
    scheduler = made(training, on_outage="wait")
    training.epochs(scheduler, 5)
    with away(relay):
        with pytest.raises(ServerUnavailable):
            training.epochs(scheduler, 5000)
        assert is_said_loudly(caplog, "cannot be reached; waiting for it (")
        at, lrs = scheduler.last_epoch, training.lrs()
        with pytest.raises(ServerUnavailable):
            scheduler.step()
        assert (scheduler.last_epoch, training.lrs()) == (at, lrs)
    scheduler.step()
    training.epochs(scheduler, 5)
    assert training.used[-5:] == falling(at + 6)[-5:]
    assert recorded(client, scheduler) == []


def test_a_step_that_waits_tries_again_and_again_and_says_so_loudly(
    relay: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, FALLING, on_outage="wait", max_stall=60, horizon=0)
    training.epochs(scheduler, 5)
    before = relay.calls["NextLr"]
    relay.refuse["NextLr"] = [grpc.StatusCode.UNAVAILABLE] * 6
    training.epochs(scheduler, 1)
    assert relay.calls["NextLr"] == before + 7
    assert is_said_loudly(caplog, f"{relay.address} cannot be reached; waiting for it (")
    assert [*training.used, training.lrs()] == falling(7)


def is_said_loudly(caplog: pytest.LogCaptureFixture, what: str) -> bool:
    return any(
        what in record.message and (record.name, record.levelname) == ("lrkeeper", "WARNING")
        for record in caplog.records
    )


def test_several_ranks_that_ask_each_by_itself_wait(
    relay: Relay, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    training = Training()
    scheduler = made(training, run=run, incarnation="both")
    training.epochs(scheduler, 1)
    with away(relay), pytest.raises(ServerUnavailable):
        training.epochs(scheduler, 5000)


@pytest.mark.usefixtures("quiet")
def test_an_edit_that_was_made_meanwhile_rules_once_the_run_answers_again(
    relay: Relay, client: Client
) -> None:
    training = Training()
    scheduler = made(training)
    training.epochs(scheduler, 5)
    run = scheduler.state_dict()["lrkeeper"]["run"]
    with away(relay):
        last = goes_out(training, scheduler)
        edited = client.edit_run(
            run, S.ConstantLR(0.5, total_iters=10**6), expected_revision=1, reason="a test"
        )
        training.epochs(scheduler, 10)
    end = comes_back(training, scheduler)
    training.epochs(scheduler, 3)
    assert edited.effective_step <= last + 10
    expected = falling(end + 1)
    assert training.used[: end + 1] == expected
    assert training.used[end + 1 :] == [((0.05).hex(),)] * len(training.used[end + 1 :])
    assert recorded(client, scheduler) == [("forecast", last + 1, expected[last + 1 :])]
    assert client.explain(run, end).values.row(end) == {"lr": (0.05,)}, "the timeline is the run's own"


def test_it_is_said_once_and_loudly(relay: Relay) -> None:
    training = Training()
    scheduler = made(training)
    training.epochs(scheduler, 5)
    with away(relay), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        goes_out(training, scheduler)
        training.epochs(scheduler, 10)
    (said,) = caught
    assert "has no value from the server" in str(said.message)
    assert "recorded as a deviation" in str(said.message)
    comes_back(training, scheduler)


@pytest.mark.usefixtures("quiet")
def test_each_outage_has_its_own_record(relay: Relay, client: Client) -> None:
    training = Training()
    scheduler = made(training)
    spans = []
    for _ in range(3):
        training.epochs(scheduler, 5)
        with away(relay):
            last = goes_out(training, scheduler)
        spans.append((last + 1, comes_back(training, scheduler)))
    training.epochs(scheduler, 2)
    expected = falling(len(training.used))
    assert training.used == expected
    assert sorted(recorded(client, scheduler), key=lambda each: each[1]) == [
        ("forecast", first, expected[first : end + 1]) for first, end in spans
    ]


@pytest.mark.usefixtures("quiet")
def test_a_report_that_gets_lost_is_made_again(relay: Relay, client: Client) -> None:
    training = Training()
    scheduler = made(training)
    training.epochs(scheduler, 5)
    with away(relay):
        goes_out(training, scheduler)
    relay.lose["ReportDeviation"] = 1
    relay.refuse["ReportDeviation"] = [grpc.StatusCode.UNAVAILABLE]
    comes_back(training, scheduler)
    training.epochs(scheduler, 300)
    assert relay.calls["ReportDeviation"] >= 3
    assert len(recorded(client, scheduler)) == 1


@pytest.mark.usefixtures("quiet")
def test_a_report_that_is_refused_does_not_stop_the_training(
    relay: Relay, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    training = Training()
    scheduler = made(training)
    training.epochs(scheduler, 5)
    with away(relay):
        goes_out(training, scheduler)
    relay.refuse["ReportDeviation"] = [grpc.StatusCode.INVALID_ARGUMENT]
    comes_back(training, scheduler)
    training.epochs(scheduler, 300)
    assert training.used == falling(len(training.used))
    assert relay.calls["ReportDeviation"] >= 1
    assert "has no record of what was used instead of its values" in caplog.text


@pytest.mark.usefixtures("quiet")
def test_a_job_that_ends_before_the_run_answers_tells_it_at_its_end(relay: Relay, client: Client) -> None:
    training = Training()
    scheduler = made(training)
    training.epochs(scheduler, 5)
    with away(relay):
        last = goes_out(training, scheduler)
        training.epochs(scheduler, 4)
    scheduler.finish()
    assert recorded(client, scheduler) == [("forecast", last + 1, falling(last + 6)[last + 1 :])]
    assert client.get_run(scheduler.state_dict()["lrkeeper"]["run"]).state == "finished"


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("choice", ["hold", "forecast"])
def test_a_step_that_fails_in_an_outage_is_made_again_and_recorded_once(
    relay: Relay, client: Client, monkeypatch: pytest.MonkeyPatch, choice: Any
) -> None:
    training = Training()
    scheduler = made(training, on_outage=choice)
    training.epochs(scheduler, 5)

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    with away(relay):
        last = goes_out(training, scheduler)
        for _ in range(3):
            with monkeypatch.context() as patch:
                patch.setattr("lrkeeper.torch.remote_lr._Follower.step", interrupted)
                for _ in range(2):
                    with pytest.raises(KeyboardInterrupt):
                        scheduler.step()
            training.epochs(scheduler, 2)
    end = comes_back(training, scheduler)
    ((kind, first, rows),) = recorded(client, scheduler)
    assert (kind, first, first + len(rows) - 1) == (choice, last + 1, end)
    assert rows == training.used[last + 1 : end + 1]
    if choice == "forecast":
        assert training.used == falling(len(training.used))


@pytest.mark.usefixtures("quiet")
def test_a_schedule_that_ends_in_an_outage_ends_with_torchs_error(relay: Relay) -> None:
    training = Training()
    ends = S.SequentialLR.unchecked(
        schedulers=(S.ExponentialLR(0.9), S.StepLR.unchecked(step_size=0)), milestones=(40,)
    )
    scheduler = RemoteLR(training.optimizer, ends, max_stall=SOON, horizon=0)
    training.epochs(scheduler, 5)
    with away(relay):
        training.epochs(scheduler, 34)
        for _ in range(2):
            with pytest.raises(ZeroDivisionError, match="step 40 of run"):
                scheduler.step()
        assert (scheduler.last_epoch, training.used) == (39, falling(39))


# What steps learn.


def plateau(by: str, optimizer: torch.optim.Optimizer) -> Any:
    if by == "torch":
        return torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, factor=0.5)
    if by == "drop-in":
        return lr_scheduler.ReduceLROnPlateau(optimizer, patience=1, factor=0.5)
    return RemoteLR(optimizer, S.ReduceLROnPlateau(patience=1, factor=0.5), max_stall=SOON)


def metric(step: int) -> float:
    return 1.0 / min(step, 6) + 0.01 * step


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("resumed", [False, True], ids=["", "resumed in the outage"])
@pytest.mark.parametrize("by", ["drop-in", "RemoteLR"])
def test_what_a_metric_driven_run_missed_it_is_told_when_it_answers_again(
    relay: Relay, client: Client, by: str, resumed: bool
) -> None:
    training = Training()
    scheduler = plateau(by, training.optimizer)

    def steps(count: int) -> None:
        for _ in range(count):
            training.update()
            scheduler.step(metric(scheduler.last_epoch + 1))

    steps(5)
    with away(relay):
        steps(8)
        if resumed:
            state = pickle.loads(pickle.dumps(scheduler.state_dict()))
            used, training = training.used, Training()
            training.used = used
            scheduler = plateau(by, training.optimizer)
            scheduler.load_state_dict(state)
            steps(3)
        assert is_out(scheduler)
    while is_out(scheduler):
        steps(1)
        time.sleep(0.02)
    back = scheduler.last_epoch
    steps(10)
    theirs = Training()
    followed = plateau("torch", theirs.optimizer)
    for step in range(1, back + 11):
        theirs.update()
        followed.step(metric(step))
    assert training.used == theirs.used
    run = scheduler.state_dict()["lrkeeper"]["run"]
    for step in range(1, back + 11):
        found = client.explain(run, step)
        assert found.given.metric == metric(step)
        assert bool(found.deviations) == (5 < step < back)


@pytest.mark.usefixtures("quiet")
def test_what_other_code_wrote_in_an_outage_is_adopted_and_told(relay: Relay, client: Client) -> None:
    def changed(training: Training, scheduler: Any, step: int) -> None:
        if step in (12, 14):
            training.optimizer.param_groups[0]["lr"] = 1.0 / step
        training.epochs(scheduler, 1)

    theirs = Training(0.1, 0.02)
    followed = SHAPES["StepLR"](torch.optim.lr_scheduler, theirs.optimizer)
    for step in range(400):
        changed(theirs, followed, step)
    training = Training(0.1, 0.02)
    scheduler = RemoteLR(
        training.optimizer, S.StepLR(2, gamma=0.7), on_local_change="adopt", max_stall=SOON, horizon=0
    )
    training.epochs(scheduler, 8)
    with away(relay):
        for step in range(8, 20):
            changed(training, scheduler, step)
        assert is_out(scheduler)
    comes_back(training, scheduler)
    training.epochs(scheduler, 5)
    assert training.used == theirs.used[: len(training.used)]
    run = scheduler.state_dict()["lrkeeper"]["run"]
    assert [step for step in range(1, 25) if client.explain(run, step).given.seen] == [13, 15]
    assert len(recorded(client, scheduler)) == 1


@pytest.mark.usefixtures("quiet")
def test_other_code_that_writes_within_the_window_while_the_server_is_away_is_overwritten(
    relay: Relay, client: Client
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, FALLING, on_local_change="adopt", max_stall=SOON)
    training.epochs(scheduler, 60)
    with away(relay):
        training.optimizer.param_groups[0]["lr"] = 0.7
        with pytest.warns(UserWarning, match="they overwrite the change"):
            scheduler.step()
        assert training.lrs() == falling(62)[61]
    training.epochs(scheduler, 10)
    assert training.used == falling(71)[:60] + falling(71)[61:]
    assert client.get_run(scheduler.state_dict()["lrkeeper"]["run"]).branch == 1


# Jobs that end in an outage.


def saved(scheduler: Any) -> Any:
    return pickle.loads(pickle.dumps(scheduler.state_dict()))


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("choice", ["hold", "forecast"])
@pytest.mark.parametrize("back", ["before it is loaded", "later"])
def test_a_checkpoint_of_an_outage_carries_what_is_to_be_recorded(
    relay: Relay, client: Client, back: str, choice: Any
) -> None:
    first = Training(0.1, 0.02)
    scheduler = made(first, on_outage=choice)
    first.epochs(scheduler, 5)
    training = Training(0.1, 0.02)

    def resumed() -> Any:
        new = made(training, on_outage=choice, incarnation="a-second-start")
        new.load_state_dict(state)
        assert training.lrs() == first.lrs()
        return new

    with away(relay):
        last = goes_out(first, scheduler)
        first.epochs(scheduler, 6)
        state = saved(scheduler)
        del scheduler
        if back == "later":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                again = resumed()
            training.epochs(again, 5)
            assert is_out(again)
    if back != "later":
        again = resumed()
    comes_back(training, again)
    end = again.last_epoch - 1
    training.epochs(again, 5)
    expected = falling(len(first.used) + len(training.used), 0.1, 0.02)
    used = [*first.used, *training.used]
    if choice == "forecast":
        assert used == expected
    else:
        assert used[last : end + 1] == [expected[last]] * (end + 1 - last)
        assert used[end + 1 :] == expected[end + 1 :]
    ((kind, begins, rows),) = recorded(client, again)
    assert (kind, begins, rows) == (choice, last + 1, used[last + 1 : end + 1])
    stored = client.get_run(again.state_dict()["lrkeeper"]["run"])
    assert (stored.fence, stored.branch) == (2, 1)


@pytest.mark.usefixtures("quiet")
def test_a_start_that_was_fenced_in_its_outage_tells_what_it_used_and_ends(
    relay: Relay, client: Client, run: str
) -> None:
    training = Training()
    scheduler = made(training, run=run)
    training.epochs(scheduler, 5)
    with away(relay):
        last = goes_out(training, scheduler)
        group = views.Group(None, "float64", {"lr": 0.1}, {"lr": 0.1})
        client.acquire_run(views.Start(run, "a-newer-start", (group,), FALLING, on_existing="takeover"))
    with pytest.raises(RunFenced):
        comes_back(training, scheduler)
    end, lrs = scheduler.last_epoch, training.lrs()
    with pytest.raises(RunFenced):
        scheduler.step()
    assert (scheduler.last_epoch, training.lrs()) == (end, lrs)
    assert recorded(client, scheduler) == [("forecast", last + 1, falling(end + 1)[last + 1 :])]
    (deviation,) = client.get_run(run).deviations
    assert (deviation.fence, client.get_run(run).fence) == (1, 2)


# Checkpoints that carry the next values.


def with_rows_ahead(windows: int = 1) -> tuple[Any, int]:
    """Return the state of a job that has ended, and how many steps it carries, in so many windows."""
    training = Training(0.1, 0.02)
    scheduler = made(training)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lrkeeper.torch.pace.window_size", lambda *_: 24)
        for _ in range(500):
            training.epochs(scheduler, 1)
            state = saved(scheduler)
            held = position(scheduler)._supply.end - 1 - scheduler.last_epoch
            if held >= 12 and len(state["lrkeeper"]["ahead"]) == windows:
                return state, held
            time.sleep(0.005)
    raise AssertionError("no such state came")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("pace", [0.0, 0.02])
def test_a_job_starts_from_what_its_checkpoint_carries_and_takes_the_run_when_it_can(
    relay: Relay, client: Client, pace: float
) -> None:
    state, held = with_rows_ahead()
    name, step = state["lrkeeper"]["run"], state["lrkeeper"]["step"]
    training = Training(0.1, 0.02)
    with away(relay):
        scheduler = made(training, incarnation="a-second-start")
        scheduler.load_state_dict(state)
        training.epochs(scheduler, held // 2)
        assert not is_out(scheduler)
        assert client.get_run(name).fence == 1
        middle = saved(scheduler)
    for _ in range(5000):
        training.epochs(scheduler, 1)
        time.sleep(pace)
        if position(scheduler).opened:
            break
    if pace:
        assert scheduler.last_epoch <= step + held, "it is taken while there are rows yet"
        assert recorded(client, scheduler) == []
    while is_out(scheduler):
        training.epochs(scheduler, 1)
    training.epochs(scheduler, 50)
    assert training.used == falling(step + len(training.used), 0.1, 0.02)[step:]
    stored = client.get_run(name)
    assert (stored.fence, stored.branch) == (2, 1)
    assert stored.holder is not None
    assert stored.holder.incarnation == "a-second-start"
    # What was saved before the run was taken leads to the same place.
    third = Training(0.1, 0.02)
    again = made(third, incarnation="a-third-start")
    again.load_state_dict(middle)
    third.epochs(again, 20)
    begins = middle["lrkeeper"]["step"]
    assert third.used == falling(begins + 20, 0.1, 0.02)[begins:]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("choice", ["auto", "wait"])
def test_at_the_end_of_what_a_checkpoint_carries_a_job_does_what_is_planned(
    relay: Relay, client: Client, choice: Any
) -> None:
    state, held = with_rows_ahead()
    step = state["lrkeeper"]["step"]
    training = Training(0.1, 0.02)
    with away(relay):
        scheduler = made(training, on_outage=choice, incarnation="a-second-start")
        scheduler.load_state_dict(state)
        training.epochs(scheduler, held)
        if choice == "wait":
            for _ in range(2):
                with pytest.raises(ServerUnavailable):
                    scheduler.step()
            assert scheduler.last_epoch == step + held
        else:
            training.epochs(scheduler, 10)
            assert is_out(scheduler)
    if choice == "auto":
        comes_back(training, scheduler)
    training.epochs(scheduler, 5)
    assert training.used == falling(step + len(training.used), 0.1, 0.02)[step:]
    found = recorded(client, scheduler)
    assert [each[:2] for each in found] == ([("forecast", step + held + 1)] if choice == "auto" else [])
    stored = client.get_run(state["lrkeeper"]["run"])
    assert (stored.fence, stored.branch) == (2, 1)


@pytest.mark.filterwarnings("ignore")
def test_a_job_that_went_on_from_rows_which_the_run_has_left_is_told_so(relay: Relay, client: Client) -> None:
    state, _ = with_rows_ahead()
    name, step = state["lrkeeper"]["run"], state["lrkeeper"]["step"]
    training = Training(0.1, 0.02)
    with away(relay):
        scheduler = made(training, incarnation="a-second-start")
        scheduler.load_state_dict(state)
        training.epochs(scheduler, 3)
        revision = client.get_run(name).revision
        client.rollback_run(name, step, expected_revision=revision, reason="a test", schedule=S.StepLR(3))

    def goes_on() -> None:
        for _ in range(5000):
            training.epochs(scheduler, 1)
            time.sleep(0.005)

    with pytest.raises(WrongBranch, match="with the rows of branch 1"):
        goes_on()
    # From the checkpoint it goes on with the rows of the new branch, not with those it carries.
    second = Training(0.1, 0.02)
    again = made(second, incarnation="a-third-start")
    again.load_state_dict(state)
    second.epochs(again, 8)
    by_step = Training(0.1, 0.02)
    theirs = by_step.epochs(torch.optim.lr_scheduler.StepLR(by_step.optimizer, 3), step + 8)
    assert second.used[1:] == theirs[step + 1 :]


def test_a_server_that_is_not_there_at_construction_is_a_warning_and_the_first_step_waits(
    relay: Relay, run: str
) -> None:
    training = Training()
    with away(relay):
        with pytest.warns(UserWarning, match="the first step waits for it up to 0 s"):
            scheduler = made(training, run=run)
        started = time.monotonic()
        with pytest.raises(ServerUnavailable):
            training.update()
        assert time.monotonic() - started >= SOON
    training.used.clear()
    training.epochs(scheduler, 5)
    assert training.used == falling(5)


@pytest.mark.filterwarnings("ignore")
def test_a_checkpoint_that_carries_nothing_waits_for_the_server(relay: Relay) -> None:
    first = Training()
    scheduler = made(first, horizon=0)
    first.epochs(scheduler, 5)
    state = saved(scheduler)
    del scheduler
    second = Training()
    resumed = made(second, horizon=0)
    resumed.load_state_dict(state)
    with away(relay), pytest.raises(ServerUnavailable):
        second.update()
    assert second.epochs(resumed, 2) == falling(7)[5:]


TAMPERED = {
    "a gap": lambda entry: entry["ahead"].pop(0),
    "no text": lambda entry: entry["ahead"].__setitem__(0, "%"),
    "no message": lambda entry: entry["ahead"].__setitem__(0, "////"),
    "a number": lambda entry: entry.__setitem__("ahead", 7),
    "an unknown kind": lambda entry: entry.__setitem__("deviation", ["guess", entry["ahead"][0]]),
}


@pytest.mark.parametrize("case", TAMPERED)
def test_a_checkpoint_whose_rows_do_not_hold_together_is_refused(relay: Relay, case: str) -> None:
    state, _ = with_rows_ahead(windows=2)
    entry = state["lrkeeper"]
    TAMPERED[case](entry)
    training = Training(0.1, 0.02)
    scheduler = made(training)
    before = scheduler.state_dict(), training.lrs()
    with pytest.raises(BadCheckpoint):
        scheduler.load_state_dict(state)
    assert (scheduler.state_dict(), training.lrs()) == before


def test_a_real_server_that_is_killed_and_comes_back(own_server: ServerProcess) -> None:
    training = Training()
    scheduler = made(training)
    training.epochs(scheduler, 20)
    own_server.kill()
    with pytest.warns(UserWarning, match="has no value from the server"):
        goes_out(training, scheduler)
    training.epochs(scheduler, 20)
    own_server.start()
    comes_back(training, scheduler)
    training.epochs(scheduler, 20)
    assert training.used == falling(len(training.used))
    with Client(own_server.address) as client:
        ((kind, *_),) = recorded(client, scheduler)
    assert kind == "forecast"
