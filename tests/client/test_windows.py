"""Values are held ahead: steps that ask nobody, and are the same as if each had asked."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import time
import warnings
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
import torch

from lrkeeper import Client, RemoteLR, lr_scheduler, views
from lrkeeper import schedules as S
from lrkeeper.connection import Connection
from lrkeeper.errors import (
    BadAnswer,
    GroupsDiffer,
    NotConfigured,
    RunFenced,
    RunFinished,
    RunNotFound,
    SchedulerInUse,
    ServerUnavailable,
    Stalled,
)
from lrkeeper.schedules.given import NOTHING
from tests.client.relay import Relay, sign
from tests.client.training import DEFINITIONS, KINDS, SHAPES, Training, kept, undisturbed
from tests.support.server import ServerProcess

STEP_LR = DEFINITIONS["StepLR"]
ONE_BY_ONE = 1
FALLING = S.ExponentialLR(0.999)
BY_TOKENS = S.Ramp(over=S.Span(tokens=10_000), begin=S.Level(relative=1), end=S.Level(absolute=0))


class Calls:
    """The calls that this process made: which, by which thread, for how many steps."""

    def __init__(self) -> None:
        self.made: list[tuple[str, int, int]] = []

    def by_this_thread(self, method: str = "NextLr") -> list[int]:
        """How many steps each of this thread's calls asked for."""
        me = threading.get_ident()
        return [count for name, thread, count in self.made if name == method and thread == me]

    @property
    def counts(self) -> list[int]:
        """How many steps each NextLr asked for."""
        return [count for name, _, count in self.made if name == "NextLr"]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    found, call = Calls(), Connection.call
    of_others = {*threading.enumerate()} - {threading.current_thread()}  # of schedulers that have ended

    def noted(self: Connection, method: Any, request: Any, **how: Any) -> Any:
        name = type(request).__name__.removesuffix("Request")
        if threading.current_thread() not in of_others:
            found.made.append((name, threading.get_ident(), getattr(request, "count", 0)))
        return call(self, method, request, **how)

    monkeypatch.setattr(Connection, "call", noted)
    return found


def at_pace(scheduler: Any, steps: int, pace: float = 0.0) -> None:
    for _ in range(steps):
        scheduler.step()
        if pace:
            time.sleep(pace)


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def held(scheduler: Any) -> int:
    """How many steps are held beyond the scheduler's."""
    position = scheduler._hold.position
    if position.ticket is None:
        return 0
    return max(0, int(position._supply.end - 1 - position.ticket.step))


def wide(scheduler: Any, steps: int = 8) -> None:
    """Step until at least so many more steps are held."""
    for _ in range(10_000):
        if held(scheduler) >= steps:
            return
        scheduler.step()
    raise AssertionError("the window does not grow")


# How far ahead.


@pytest.mark.parametrize("kind", KINDS)
def test_in_steady_state_no_call_is_made_on_the_training_thread(
    server: ServerProcess, calls: Calls, kind: str
) -> None:
    training = Training(0.1, 0.02)
    scheduler = kept(kind, training.optimizer)
    assert training.epochs(scheduler, 400) == undisturbed(kind.split()[0], 400, 0.1, 0.02)
    assert calls.by_this_thread("AcquireRun") == [0]
    assert calls.by_this_thread() == [1, 4], "the first two steps know no pace, or hardly"
    assert len(calls.counts) < 20


@pytest.mark.parametrize(
    "make",
    [
        lambda m, o: m.CosineAnnealingWarmRestarts(o, 7),
        lambda m, o: m.OneCycleLR(o, max_lr=0.4, total_steps=200),
        lambda m, o: m.ChainedScheduler([m.StepLR(o, 5), m.ExponentialLR(o, 0.99)]),
    ],
    ids=["CosineAnnealingWarmRestarts", "OneCycleLR with momentum", "ChainedScheduler"],
)
def test_classes_that_torch_steps_in_its_own_way_make_none_either(
    server: ServerProcess, calls: Calls, make: Callable[[Any, Any], Any]
) -> None:
    def trained(module: Any) -> list[Any]:
        optimizer = torch.optim.SGD(torch.nn.Linear(2, 2).parameters(), lr=0.1, momentum=0.9)
        scheduler = make(module, optimizer)
        used = []
        for _ in range(150):
            optimizer.step()
            scheduler.step()
            used.append((optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["momentum"]))
        return used

    assert trained(lr_scheduler) == trained(torch.optim.lr_scheduler)
    assert calls.by_this_thread() == [1, 4]


@pytest.mark.parametrize("by", ["keyword", "environment"])
def test_a_horizon_of_0_asks_at_every_step(
    server: ServerProcess, calls: Calls, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    training = Training()
    if by == "environment":
        monkeypatch.setenv("LRKEEPER_HORIZON", "0")
        scheduler = RemoteLR(training.optimizer, STEP_LR)
    else:
        monkeypatch.setenv("LRKEEPER_HORIZON", "1000")
        scheduler = RemoteLR(training.optimizer, STEP_LR, horizon=0)
    assert training.epochs(scheduler, 12) == undisturbed("StepLR", 12)
    assert calls.by_this_thread() == calls.counts == [ONE_BY_ONE] * 12


@pytest.mark.parametrize("horizon", ["soon", "-1", "nan", "inf"])
def test_a_horizon_that_is_no_number_of_seconds_is_refused_at_construction(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch, horizon: str
) -> None:
    monkeypatch.setenv("LRKEEPER_HORIZON", horizon)
    with pytest.raises(ValueError, match="LRKEEPER_HORIZON"):
        RemoteLR(Training().optimizer, STEP_LR)


def test_a_window_has_the_horizons_worth_of_steps(server: ServerProcess, calls: Calls) -> None:
    """A sleep takes at least so long, so a window can only be smaller on a slow machine."""
    scheduler = RemoteLR(Training().optimizer, STEP_LR, horizon=0.2)
    at_pace(scheduler, 40, pace=0.02)
    assert 1 < max(calls.counts) <= 0.2 / 0.02
    assert held(scheduler) <= 0.2 / 0.02


def test_steps_as_long_as_the_horizon_ask_one_by_one(server: ServerProcess, calls: Calls) -> None:
    scheduler = RemoteLR(Training().optimizer, STEP_LR, horizon=0.02)
    at_pace(scheduler, 8, pace=0.03)
    assert calls.by_this_thread() == calls.counts == [ONE_BY_ONE] * 8


def of_100_groups(run: str, mode: str) -> tuple[RemoteLR, list[list[tuple[str, ...]]]]:
    """Return a scheduler of three tracks, and what its optimizer sees at each step from now on, by group."""
    groups = [
        {
            "params": [torch.nn.Parameter(torch.zeros(1))],
            "lr": 0.1 + i / 1024,
            "weight_decay": 0.01 + i / 4096,
        }
        for i in range(100)
    ]
    schedule = S.Tracks(
        [
            S.Track(FALLING),
            S.Track(name="weight_decay", link="base_weight_decay * lr / base_lr"),
            S.Track(S.Ramp(S.Span(steps=500), end=S.Level(absolute=0.9999)), "beta2"),
        ]
    )
    optimizer = torch.optim.AdamW(groups)
    scheduler = RemoteLR(optimizer, schedule, run=run, mode=mode, horizon=1000)
    seen: list[list[tuple[str, ...]]] = []

    def note(*_: Any) -> None:
        found = [(group["lr"], group["weight_decay"], group["betas"][1]) for group in optimizer.param_groups]
        seen.append([tuple(value.hex() for value in row) for row in found])

    optimizer.register_step_pre_hook(note)
    return scheduler, seen


def test_a_horizon_of_more_rows_than_an_answer_has_is_covered_in_several_calls(
    client: Client, calls: Calls, run: str
) -> None:
    """100 groups of three tracks: an answer has 417 rows."""
    scheduler, seen = of_100_groups(run, "on")

    def goes_on(steps: int, pace: float = 0.0) -> None:
        for _ in range(steps):
            scheduler.optimizer.step()
            at_pace(scheduler, 1, pace)

    for _ in range(20_000):
        goes_on(1, pace=0.002)
        if held(scheduler) > 417:
            break
    ahead = held(scheduler)
    assert ahead <= 2 * 417
    made = len(calls.by_this_thread())
    goes_on(ahead)
    assert len(calls.by_this_thread()) == made, "what is held asks nobody"
    assert max(calls.counts) > 417
    assert max(block.table.count for block in client.list_blocks(run)) == 417

    local, expected = of_100_groups(run, "off")
    for _ in seen:
        local.optimizer.step()
        local.step()
    assert seen == expected
    theirs = Training(0.1, 0.1 + 99 / 1024)
    torchs = theirs.epochs(torch.optim.lr_scheduler.ExponentialLR(theirs.optimizer, 0.999), len(seen))
    assert [(row[0][0], row[99][0]) for row in seen] == torchs


def metric_driven(optimizer: Any) -> tuple[Any, Callable[[int], None]]:
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer)
    return scheduler, lambda step: scheduler.step(float(step))


def of_a_function(optimizer: Any) -> tuple[Any, Callable[[int], None]]:
    scheduler = lr_scheduler.LambdaLR(optimizer, lambda epoch: 0.9**epoch)
    return scheduler, lambda step: scheduler.step()


def counting_tokens(optimizer: Any) -> tuple[Any, Callable[[int], None]]:
    scheduler = RemoteLR(optimizer, BY_TOKENS)
    return scheduler, lambda step: scheduler.step(tokens=10.0 * step)


@pytest.mark.parametrize("make", [metric_driven, of_a_function, counting_tokens])
def test_steps_that_learn_from_the_job_ask_one_by_one(
    server: ServerProcess, calls: Calls, make: Callable[[Any], Any]
) -> None:
    scheduler, step = make(Training().optimizer)
    for number in range(1, 11):
        step(number)
    assert calls.by_this_thread() == calls.counts == [ONE_BY_ONE] * 10
    assert held(scheduler) == 0


def test_more_is_asked_for_before_half_a_window_is_used(server: ServerProcess, calls: Calls) -> None:
    scheduler = RemoteLR(Training().optimizer, FALLING, horizon=1)
    sizes = []
    for _ in range(60):
        at_pace(scheduler, 1, pace=0.005)
        sizes.append(held(scheduler))
    assert calls.by_this_thread() == [1, 4]
    assert min(sizes[20:]) > 0, "it has run out"


# What is done meanwhile.


@pytest.mark.parametrize("kind", ["StepLR drop-in", "SequentialLR RemoteLR"])
def test_a_server_that_is_away_for_less_than_the_window_goes_unnoticed(
    own_server: ServerProcess, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("LRKEEPER_HORIZON", "0.5")
    training = Training(0.1, 0.02)
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 20)
    wide(scheduler)
    done = scheduler.last_epoch
    own_server.kill()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        while held(scheduler) > 1:
            scheduler.step()
    own_server.start()
    training.used.clear()
    more = scheduler.last_epoch + 40
    assert scheduler.last_epoch > done
    training.epochs(scheduler, 40)
    assert training.used == undisturbed(kind.split()[0], more, 0.1, 0.02)[-40:]
    with Client(own_server.address) as client:
        assert client.get_run(scheduler.state_dict()["lrkeeper"]["run"]).deviations == ()


def test_a_call_in_the_background_that_fails_is_made_again_before_the_rows_run_out(
    relay: Relay, calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lrkeeper.torch.supply._PATIENCE", 0.0)
    monkeypatch.setattr("lrkeeper.torch.ahead._PAUSE", 0.01)
    scheduler = RemoteLR(Training().optimizer, FALLING, horizon=3)
    for _ in range(2000):
        at_pace(scheduler, 1, pace=0.005)
        if held(scheduler) > 200:
            break
    asked = len(calls.by_this_thread())
    refused = relay.refuse["NextLr"] = [grpc.StatusCode.UNAVAILABLE] * 5
    for _ in range(2000):
        at_pace(scheduler, 1, pace=0.005)
        if not refused and held(scheduler) > 150:
            break
    assert refused == []
    at_pace(scheduler, 100, pace=0.001)
    assert len(calls.by_this_thread()) == asked


def test_a_late_answer_is_waited_for_and_taken(relay: Relay, calls: Calls) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, FALLING)
    training.epochs(scheduler, 20)
    release = relay.hold["NextLr"] = threading.Event()
    threading.Timer(0.3, release.set).start()
    training.epochs(scheduler, 300)
    theirs = Training()
    assert training.used == theirs.epochs(
        torch.optim.lr_scheduler.ExponentialLR(theirs.optimizer, 0.999), 320
    )
    assert calls.by_this_thread() == [1, 4]


def test_answers_that_get_lost_are_given_again(relay: Relay, client: Client) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR)
    for _ in range(6):
        relay.lose["NextLr"] = 1
        training.epochs(scheduler, 30)
    assert training.used == undisturbed("StepLR", 180)


def test_a_wrong_answer_in_the_background_comes_up_when_the_rows_have_run_out(relay: Relay) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR)
    training.epochs(scheduler, 6)

    def off(answer: Any) -> None:
        answer.values.crc32 ^= 1

    relay.alter["NextLr"] = off
    with pytest.raises(BadAnswer):
        training.epochs(scheduler, 1000)
    at, lrs = scheduler.last_epoch, training.lrs()
    assert held(scheduler) == 0
    with pytest.raises(BadAnswer):
        scheduler.step()
    assert (scheduler.last_epoch, training.lrs()) == (at, lrs)
    relay.alter.clear()
    done = len(training.used)
    scheduler.step()
    training.epochs(scheduler, 20)
    assert training.used[-20:] == undisturbed("StepLR", done + 20)[-20:]


@pytest.mark.parametrize("kind", ["StepLR drop-in", "StepLR RemoteLR"])
def test_other_bits_for_a_step_that_is_held_are_refused_before_the_next_step_moves(
    relay: Relay, kind: str
) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    wide(scheduler)
    supply = scheduler._hold.position._supply
    (*_, last) = supply._stock
    table = last.table
    position = scheduler._hold.position

    def one_bit_off(answer: Any) -> None:
        first = bytearray(answer.values.columns[0])
        first[0] ^= 1
        answer.values.columns[0] = bytes(first)
        sign(answer.values)

    # An answer that comes late, for steps that another call has brought meanwhile.
    while supply._fetching.busy:
        supply._take_in(supply._fetching.wait(10))
    relay.alter["NextLr"] = one_bit_off
    late = supply._call(position._runs, position.ticket, table.end_step - 1, 1, NOTHING, 1.0)
    supply._fetching.start(late)
    while supply._fetching._answers.empty():
        time.sleep(0.01)
    scheduler._hold.position.interrupt()
    at, lrs = scheduler.last_epoch, training.lrs()
    with pytest.raises(BadAnswer, match="gave other values for steps"):
        scheduler.step()
    assert (scheduler.last_epoch, training.lrs()) == (at, lrs)
    scheduler.step()
    assert scheduler.last_epoch == at + 1


# The end of a schedule.


@pytest.mark.parametrize("again", [False, True])
def test_a_schedule_that_ends_within_the_window_ends_at_its_step_with_torchs_error(
    server: ServerProcess, again: bool
) -> None:
    def trained(module: Any) -> tuple[list[Any], int, str]:
        training = Training()
        scheduler = module.OneCycleLR(training.optimizer, max_lr=0.4, total_steps=90, cycle_momentum=False)
        for done in range(100):
            training.update()
            try:
                scheduler.step()
            except ValueError as error:
                training.update()
                if again:
                    with pytest.raises(ValueError, match="90"):
                        scheduler.step()
                return training.used, done, str(error).splitlines()[0]
        raise AssertionError("it never ended")

    assert trained(lr_scheduler) == trained(torch.optim.lr_scheduler)


def test_a_quick_schedule_that_cannot_go_on_keeps_its_last_value(server: ServerProcess) -> None:
    training = Training()
    ends = S.SequentialLR.unchecked(
        schedulers=(S.StepLR(1, 0.99), S.StepLR.unchecked(step_size=0)), milestones=(50,)
    )
    scheduler = RemoteLR(training.optimizer, ends)
    training.epochs(scheduler, 49)
    lrs = training.lrs()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError, match=r"step 50 of run '.*' cannot be reached"):
            scheduler.step()
        assert (scheduler.last_epoch, training.lrs()) == (49, lrs)


# Edits.


@pytest.mark.parametrize("kind", ["StepLR drop-in", "StepLR RemoteLR"])
@pytest.mark.parametrize("where", ["inside", "at the end", "beyond"])
def test_an_edit_acts_where_it_says_and_each_state_around_it_resumes_exactly(
    client: Client, kind: str, where: str
) -> None:
    training = Training(0.1, 0.02)
    scheduler = kept(kind, training.optimizer)
    wide(scheduler, 6)
    run = scheduler.state_dict()["lrkeeper"]["run"]
    stored = client.get_run(run)
    at_step = {
        "inside": scheduler.last_epoch + 2,
        "at the end": stored.frontier,
        "beyond": stored.frontier + 7,
    }
    edited = client.edit_run(
        run,
        S.StepLR(1, gamma=0.9),
        expected_revision=stored.revision,
        reason="a test",
        at_step=at_step[where],
    )
    effective = edited.effective_step
    assert effective >= max(stored.frontier, at_step[where])  # an answer may be on its way
    assert edited.clamped == (effective > at_step[where])
    assert edited.clamped or where != "inside"
    states: dict[int, Any] = {}
    lrs = {scheduler.last_epoch: training.lrs()}
    while scheduler.last_epoch < effective + 12:
        scheduler.step()
        lrs[scheduler.last_epoch] = training.lrs()
        if abs(scheduler.last_epoch - effective) < 3 or scheduler.last_epoch == effective - 4:
            states[scheduler.last_epoch] = pickle.loads(pickle.dumps(scheduler.state_dict()))
    before = undisturbed("StepLR", effective, 0.1, 0.02)[effective - 1]
    assert lrs[effective - 1] == before
    ratio = float.fromhex(lrs[effective + 1][0]) / float.fromhex(lrs[effective][0])
    assert ratio == pytest.approx(0.9)
    for step, state in states.items():
        assert state["lrkeeper"]["revision"] == (edited.revision if step >= effective else stored.revision)
        second = Training(0.1, 0.02)
        resumed = kept(kind, second.optimizer)
        resumed.load_state_dict(state)
        assert second.lrs() == lrs[step]
        for later in range(step + 1, effective + 12):
            resumed.step()
            assert second.lrs() == lrs[later], f"step {later} after a resume at {step}"


def test_an_edit_to_a_schedule_that_counts_tokens_is_told_of_them_from_its_first_step(client: Client) -> None:
    """Steps that tell how many there are, which nobody needs to know until then."""
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR)
    for step in range(1, 13):
        scheduler.step(tokens=10.0 * step)
    run = scheduler.state_dict()["lrkeeper"]["run"]
    edited = client.edit_run(run, BY_TOKENS, expected_revision=1, reason="a test")
    while scheduler.last_epoch < edited.effective_step + 5:
        scheduler.step(tokens=10.0 * (scheduler.last_epoch + 1))
        if scheduler.last_epoch >= edited.effective_step:
            lr = 0.1 * (1 - scheduler.last_epoch / 1000)
            assert training.optimizer.param_groups[0]["lr"] == pytest.approx(lr)


# A run that is lost.


def fenced(client: Client, run: str, state: Any) -> None:
    training = Training()
    other = RemoteLR(training.optimizer, FALLING, incarnation="a-newer-start", run=run)
    other.load_state_dict(state)
    other.get_last_lr()
    other.step()


LOSSES: dict[str, tuple[Callable[[Client, str, Any], object], type[Exception]]] = {
    "fenced": (fenced, RunFenced),
    "deleted": (lambda client, run, _: client.delete_run(run, force=True), RunNotFound),
    "finished": (lambda client, run, _: client.finish_run(run), RunFinished),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_run_that_is_lost_is_gone_through_to_the_end_of_the_window(
    client: Client, run: str, loss: str
) -> None:
    lose, error = LOSSES[loss]
    training = Training()
    scheduler = RemoteLR(training.optimizer, FALLING, run=run, horizon=1, max_stall=1)
    at_pace(scheduler, 30, pace=0.005)
    while scheduler._hold.position._supply._fetching.busy:
        at_pace(scheduler, 1, pace=0.005)
    last = scheduler.last_epoch + held(scheduler)
    lose(client, run, scheduler.state_dict())
    while scheduler.last_epoch < last:
        scheduler.step()
    if loss == "fenced":  # what the newer start has had committed may be read
        with pytest.raises(error):
            at_pace(scheduler, 5000)
        return
    lrs = training.lrs()
    for _ in range(2):
        with pytest.raises(error):
            scheduler.step()
        assert (scheduler.last_epoch, training.lrs()) == (last, lrs)


# Ranks.


def test_a_rank_that_is_far_ahead_waits_for_the_slow_one_and_not_for_ever(
    client: Client, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    training = Training()
    scheduler = RemoteLR(
        training.optimizer, FALLING, run=run, incarnation="both", horizon=0.05, max_stall=0.5
    )
    scheduler.step()
    group = views.Group(None, "float64", {"lr": 0.1}, {"lr": 0.1})
    start = views.Start(run, "both", (group,), FALLING, rank=1, world_size=2)
    place = client.acquire_run(start)

    def other_rank_applies(step: int) -> None:
        client.next_lr(place, step + 1, applied_step=step, revision=1)

    other_rank_applies(0)
    with pytest.raises(Stalled, match="another rank is far behind"):
        at_pace(scheduler, 5000, pace=0.002)
    at, lrs = scheduler.last_epoch, training.lrs()
    started = time.monotonic()
    with pytest.raises(Stalled):
        scheduler.step()
    print(f"stalled for {time.monotonic() - started:.1f} s")
    assert (scheduler.last_epoch, training.lrs()) == (at, lrs)

    catches_up = threading.Timer(0.1, other_rank_applies, [at])
    catches_up.start()
    scheduler.step()
    catches_up.join()
    theirs = Training()
    exponential = torch.optim.lr_scheduler.ExponentialLR(theirs.optimizer, 0.999)
    at_pace(exponential, at + 1)
    assert training.lrs() == theirs.lrs()


def test_a_rank_that_is_cut_off_waits_at_the_frontier_and_uses_no_other_value(
    relay: Relay, client: Client, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    training = Training()
    scheduler = RemoteLR(training.optimizer, FALLING, run=run, incarnation="both", horizon=1, max_stall=0.5)
    training.epochs(scheduler, 10)
    group = views.Group(None, "float64", {"lr": 0.1}, {"lr": 0.1})
    other = client.acquire_run(views.Start(run, "both", (group,), FALLING, rank=1, world_size=2))
    relay.refuse["NextLr"] = [grpc.StatusCode.UNAVAILABLE] * 10_000

    def other_rank_goes_on(steps: int) -> int:
        """Return how far it has got."""
        at = 0
        for _ in range(20):
            at = client.next_lr(other, at + 1, steps, applied_step=at, revision=1).frontier - 1
        return at

    stopped = other_rank_goes_on(500)
    with pytest.raises(ServerUnavailable):
        training.epochs(scheduler, 20_000)
    assert scheduler.last_epoch < client.get_run(run).frontier == stopped + 1
    relay.refuse.clear()
    scheduler.step()
    training.epochs(scheduler, 20)
    theirs = Training()
    exponential = torch.optim.lr_scheduler.ExponentialLR(theirs.optimizer, 0.999)
    assert training.used == theirs.epochs(exponential, len(training.used))


def test_a_jump_within_a_run_takes_few_calls(server: ServerProcess, calls: Calls) -> None:
    """By thousands of steps, as a checkpoint brings it about."""
    training = Training()
    scheduler = RemoteLR(training.optimizer, FALLING, horizon=1000)
    training.epochs(scheduler, 100)
    near = copy.deepcopy(scheduler.state_dict())
    training.epochs(scheduler, 4900)
    far = copy.deepcopy(scheduler.state_dict())
    scheduler.load_state_dict(near)
    training.epochs(scheduler, 1)
    calls.made.clear()
    scheduler.load_state_dict(far)
    after = training.epochs(scheduler, 3)
    assert len(calls.made) <= 3
    theirs = Training()
    exponential = torch.optim.lr_scheduler.ExponentialLR(theirs.optimizer, 0.999)
    assert after == theirs.epochs(exponential, 5003)[5000:]


# Quick steps, and what comes between them.


def another_float(training: Training) -> None:
    training.optimizer.param_groups[-1]["lr"] = 0.7


def an_int(training: Training) -> None:
    training.optimizer.param_groups[-1]["lr"] = 1


def zero(training: Training) -> None:
    training.optimizer.param_groups[-1]["lr"] = 0.0


def an_optimizers_state(training: Training) -> None:
    state = copy.deepcopy(training.optimizer.state_dict())
    state["param_groups"][-1]["lr"] = 0.3
    training.optimizer.load_state_dict(state)


def the_same_state(training: Training) -> None:
    training.optimizer.load_state_dict(copy.deepcopy(training.optimizer.state_dict()))


CHANGES = [another_float, an_int, zero, an_optimizers_state, the_same_state]


@pytest.mark.parametrize("lrs", [(0.1,), (0.1, 0.02)], ids=["one group", "two groups"])
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("shape", ["StepLR", "SequentialLR"])
def test_a_drop_in_goes_on_from_a_change_within_the_window_as_torch_does(
    client: Client, calls: Calls, shape: str, change: Callable[[Training], None], lrs: tuple[float, ...]
) -> None:
    def trained(module: Any) -> tuple[Training, Any]:
        training = Training(*lrs)
        scheduler = SHAPES[shape](module, training.optimizer)
        for step in range(60):
            if step in (30, 31, 45):
                change(training)
            training.epochs(scheduler, 1)
        return training, scheduler

    theirs, their_scheduler = trained(torch.optim.lr_scheduler)
    ours, scheduler = trained(lr_scheduler)
    assert ours.used == theirs.used
    assert ours.lrs() == theirs.lrs()
    state = scheduler.state_dict()
    stored = client.get_run(state["lrkeeper"]["run"])
    if change is the_same_state:
        assert stored.branch == 1
        return
    assert stored.branch == 2, "one branch, whatever else is changed later"
    assert state["lrkeeper"]["one_by_one"] is True
    assert client.explain(stored.name, 31).given.seen is not None
    assert calls.counts[-20:] == [ONE_BY_ONE] * 20

    # After a resume too.
    calls.made.clear()
    training = Training(*lrs)
    resumed = SHAPES[shape](lr_scheduler, training.optimizer)
    resumed.load_state_dict(state)
    for step in range(10):
        if step == 5:
            change(training)
            change(theirs)
        training.epochs(resumed, 1)
        theirs.epochs(their_scheduler, 1)
    assert training.used == theirs.used[-10:]
    assert calls.counts == [ONE_BY_ONE] * 10
    assert client.get_run(stored.name).branch == 2


@pytest.mark.parametrize("lrs", [(0.1,), (0.1, 0.02)], ids=["one group", "two groups"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_remote_lr_overwrites_a_change_within_the_window_and_warns(
    server: ServerProcess, change: Callable[[Training], None], lrs: tuple[float, ...]
) -> None:
    training = Training(*lrs)
    scheduler = RemoteLR(training.optimizer, STEP_LR)
    training.epochs(scheduler, 30)
    change(training)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scheduler.step()
    assert len(caught) == (change is not the_same_state)
    assert training.epochs(scheduler, 20) == undisturbed("StepLR", 51, *lrs)[31:]


@pytest.mark.parametrize("kind", ["StepLR drop-in", "StepLR RemoteLR"])
@pytest.mark.parametrize("lrs", [(0.5,), (0.5, 0.25)], ids=["one group", "two groups"])
@pytest.mark.filterwarnings("ignore:the lr of param group:UserWarning")
def test_a_tensor_put_in_the_place_of_an_lr_stays_and_is_written_in_place(
    server: ServerProcess, kind: str, lrs: tuple[float, ...]
) -> None:
    training = Training(*lrs)
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 21)
    group = training.optimizer.param_groups[-1]
    tensor = group["lr"] = torch.tensor(group["lr"], dtype=torch.float64)
    training.epochs(scheduler, 10)
    assert group["lr"] is tensor
    assert training.used == undisturbed("StepLR", 31, *lrs)


def test_groups_that_are_added_within_the_window_are_scheduled_from_the_next_step_on(client: Client) -> None:
    training = Training(0.1, 0.02)
    scheduler = RemoteLR(training.optimizer, STEP_LR)
    training.epochs(scheduler, 30)
    training.optimizer.add_param_group({"params": torch.nn.Linear(2, 2).parameters(), "lr": 0.5})
    training.epochs(scheduler, 10)
    expected = undisturbed("StepLR", 40, 0.1, 0.02)
    assert [row[:2] for row in training.used] == expected
    assert {len(row) for row in training.used[30:]} == {3}
    assert client.get_run(scheduler.state_dict()["lrkeeper"]["run"]).branch == 2


@pytest.mark.parametrize("kind", ["StepLR drop-in", "StepLR RemoteLR"])
@pytest.mark.parametrize("left", [0, 1])
def test_groups_that_are_taken_away_within_the_window_are_missed_at_once(
    server: ServerProcess, kind: str, left: int
) -> None:
    training = Training(*[0.1] * (left + 1))
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 30)
    training.optimizer.param_groups.pop()
    with pytest.raises(GroupsDiffer, match=f"the optimizer has {left} param groups"):
        scheduler.step()
    assert scheduler.last_epoch == 30


@pytest.mark.parametrize("kind", ["StepLR drop-in", "StepLR RemoteLR"])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_a_copy_within_the_window_goes_on_where_the_original_stands(
    server: ServerProcess, kind: str, copied: Callable[[Any], Any]
) -> None:
    training = Training(0.1, 0.02)
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 33)
    expected = undisturbed("StepLR", 60, 0.1, 0.02)
    twin = copied(scheduler)
    assert twin.state_dict() == {**scheduler.state_dict(), "lrkeeper": twin.state_dict()["lrkeeper"]}
    training.epochs(scheduler, 10)  # the original first: the copy takes the run from it when it steps
    assert training.used == expected[:43]
    for step in range(34, 44):
        twin.step()
        assert twin.last_epoch == step
        assert tuple(float(g["lr"]).hex() for g in twin.optimizer.param_groups) == expected[step]
    with pytest.raises(SchedulerInUse):
        at_pace(scheduler, 1)


@pytest.mark.parametrize("kind", ["StepLR drop-in", "StepLR RemoteLR"])
def test_the_state_between_any_two_steps_is_that_of_the_step(server: ServerProcess, kind: str) -> None:
    training = Training(0.1, 0.02)
    scheduler = kept(kind, training.optimizer)
    expected = undisturbed("StepLR", 61, 0.1, 0.02)
    for step in range(1, 60):
        scheduler.step()
        state = scheduler.state_dict()
        entry = state["lrkeeper"]
        assert (state["last_epoch"], entry["step"]) == (step, step)
        assert tuple(value.hex() for value in entry["values"]["lr"]) == expected[step]
    scheduler.load_state_dict(state)
    scheduler.step()
    assert training.lrs() == expected[60]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize("lrs", [(0.1,), (0.1, 0.02)], ids=["one group", "two groups"])
def test_an_exception_within_torchs_step_moves_nothing(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], lrs: tuple[float, ...]
) -> None:
    training = Training(*lrs)
    scheduler = lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7)
    training.epochs(scheduler, 31)
    before = training.lrs()

    def interrupted(self: Any) -> list[float]:
        self.optimizer.param_groups[0]["lr"] = 17.0
        raise error("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.lr_scheduler.StepLR, "get_lr", interrupted)
        for _ in range(3):
            with pytest.raises(error):
                scheduler.step()
            assert (scheduler.last_epoch, scheduler._step_count, training.lrs()) == (31, 32, before)
            assert scheduler.state_dict()["lrkeeper"]["step"] == 31
    training.epochs(scheduler, 20)
    assert training.used == undisturbed("StepLR", 51, *lrs)


@pytest.mark.parametrize("lrs", [(1,), (0.0,), (-0.0,), (2, 0.5), (-0.0, 1)])
@pytest.mark.parametrize("kind", ["StepLR drop-in", "StepLR RemoteLR"])
def test_ints_and_zeros_are_as_torch_has_them(
    server: ServerProcess, kind: str, lrs: tuple[float, ...]
) -> None:
    training = Training(*lrs)
    assert training.epochs(kept(kind, training.optimizer), 40) == undisturbed("StepLR", 40, *lrs)


def test_two_schedulers_on_one_optimizer_give_what_torchs_do_and_ask_one_by_one(
    client: Client, calls: Calls
) -> None:
    def trained(module: Any) -> tuple[list[Any], list[Any]]:
        training = Training(0.1, 0.02)
        pair = [
            module.ExponentialLR(training.optimizer, 0.99),
            module.StepLR(training.optimizer, 3, gamma=0.5),
        ]
        for _ in range(40):
            training.epochs(pair[0], 1)
            pair[1].step()
        return training.used, pair

    theirs, _ = trained(torch.optim.lr_scheduler)
    ours, pair = trained(lr_scheduler)
    assert ours == theirs
    assert calls.counts[-40:] == [ONE_BY_ONE] * 40
    for scheduler in pair:
        assert client.get_run(scheduler.state_dict()["lrkeeper"]["run"]).branch <= 2


@pytest.mark.parametrize("kind", ["StepLR drop-in", "StepLR RemoteLR"])
def test_a_later_scheduler_that_takes_the_run_ends_the_steps_of_the_earlier_one(
    server: ServerProcess, run: str, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", run)
    training = Training()
    scheduler = kept(kind, training.optimizer)
    wide(scheduler)
    second = Training()
    later = RemoteLR(second.optimizer, STEP_LR, run=run)
    scheduler.step()
    later.get_last_lr()
    at, lrs = scheduler.last_epoch, training.lrs()
    for _ in range(2):
        with pytest.raises(SchedulerInUse, match=run):
            scheduler.step()
        assert (scheduler.last_epoch, training.lrs()) == (at, lrs)
    assert second.epochs(later, 10) == undisturbed("StepLR", 10)


@pytest.mark.parametrize("kind", ["StepLR drop-in", "SequentialLR drop-in", "StepLR RemoteLR"])
def test_a_scheduler_within_its_window_is_freed_by_refcount_and_its_thread_ends(
    server: ServerProcess, kind: str
) -> None:
    def threads() -> set[threading.Thread]:
        return {thread for thread in threading.enumerate() if thread.name == "lrkeeper-fetch"}

    before = threads()
    training = Training()
    with no_garbage_collection():
        scheduler = kept(kind, training.optimizer)
        wide(scheduler, 20)
        (own,) = threads() - before
        hold = weakref.ref(scheduler._hold)
        dead = weakref.ref(scheduler)
        del scheduler
        assert dead() is None
        assert hold() is None
        own.join(30)
        assert not own.is_alive()


def test_a_call_under_way_keeps_no_scheduler_alive(relay: Relay) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, FALLING)
    at_pace(scheduler, 5)
    release = relay.hold["NextLr"] = threading.Event()
    supply = scheduler._hold.position._supply
    while not supply._fetching.busy:
        scheduler.step()
    with no_garbage_collection():
        dead = weakref.ref(scheduler)
        del scheduler
        assert dead() is None
    release.set()


def test_calls_that_do_not_count_take_no_step_from_memory(server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR, counts="after_optimizer_step")
    for _ in range(40):
        training.update()
        scheduler.step()
        scheduler.step()
    assert scheduler.last_epoch == 40
    assert training.used == undisturbed("StepLR", 40)


def test_a_scheduler_that_is_given_another_optimizer_writes_into_that(server: ServerProcess) -> None:
    training, other = Training(), Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR)
    at_pace(scheduler, 31)
    lrs = training.lrs()
    scheduler.optimizer = other.optimizer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        at_pace(scheduler, 4)
    assert training.lrs() == lrs
    assert other.lrs() == undisturbed("StepLR", 36)[35]


def test_a_step_that_fails_after_a_change_begins_no_second_branch(client: Client, monkeypatch: Any) -> None:
    training = Training()
    scheduler = lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7)
    training.epochs(scheduler, 30)
    training.optimizer.param_groups[0]["lr"] = 0.5

    def interrupted(self: Any) -> list[float]:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.lr_scheduler.StepLR, "get_lr", interrupted)
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                scheduler.step()
    training.epochs(scheduler, 6)
    theirs = Training()
    followed = torch.optim.lr_scheduler.StepLR(theirs.optimizer, 2, gamma=0.7)
    theirs.epochs(followed, 30)
    theirs.optimizer.param_groups[0]["lr"] = 0.5
    theirs.epochs(followed, 6)
    assert training.used == theirs.used
    assert client.get_run(scheduler.state_dict()["lrkeeper"]["run"]).branch == 2


def test_without_a_server_windows_are_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRKEEPER_MODE", "off")
    training = Training()
    assert training.epochs(RemoteLR(training.optimizer, STEP_LR), 40) == undisturbed("StepLR", 40)
    with pytest.raises(NotConfigured):
        RemoteLR(Training().optimizer, "a-stored-one")
