"""Whether a history keeps the promises of DESIGN.md §3. It reads the history only, and imports no production code.

Each function is given the indexed history, and yields a sentence for each violation; the number before it is
the promise's.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from tests.simulation.reference import Timeline

Event = dict[str, Any]

_LATELY = 60_000_000  # microseconds after which a rank holds nothing back
_STEPS_AT_THE_END = 3


class Indexed:
    """A history, with its calls by message, and what is stored in the end."""

    def __init__(self, events: list[Event]) -> None:
        self.events = [{**event, "place": place} for place, event in enumerate(events)]
        self.calls = {e["message"]: e for e in self.events if e["event"] == "call"}
        self.answers = [e for e in self.events if e["event"] == "answered" and e["reason"] is None]
        self.tables: dict[str, list[Event]] = next(
            (e["tables"] for e in self.events if e["event"] == "stored"), {}
        )
        self.timelines = {
            (row["run_uid"], row["branch"]): Timeline(self.tables, row["run_uid"], row["branch"])
            for row in self.tables.get("branches", [])
        }

        self.lost = (len(events), len(events))
        """Between these places the database was changed, and then put back to how it had been."""
        restored = [e["place"] for e in self.events if e["event"] == "restored"]
        if restored:
            self.lost = next(e["place"] for e in self.events if e["event"] == "backup"), restored[0]

    def age(self, event: Event) -> int:
        """Return in which life of the database an event was."""
        return int(event["place"] > self.lost[1])

    def kept(self, method: str) -> Iterator[tuple[Event, Event]]:
        """Yield as `of` does what the database has not lost."""
        for call, answer in self.of(method):
            if not self.lost[0] < answer["place"] < self.lost[1]:
                yield call, answer

    def of(self, method: str) -> Iterator[tuple[Event, Event]]:
        """Yield the calls of a method with each good answer that a server sent."""
        for answer in self.answers:
            call = self.calls[answer["message"]]
            if call["method"] == method:
                yield call, answer


Check = Callable[[Indexed], Iterator[str]]


def violations(events: list[Event]) -> list[str]:
    """Return what is wrong with a history; nothing: it keeps the promises."""
    indexed = Indexed(events)
    return [found for check in CHECKS for found in check(indexed)]


def one_bit_pattern(h: Indexed) -> Iterator[str]:
    """1: for each run, branch and step all have seen the same bits, and those are stored.

    Where the database lost steps that nobody put back, a rank that comes back sees the bits that it had.
    """
    seen: dict[tuple[Any, ...], tuple[str, str]] = {}

    def other(age: int, run: str, branch: int, step: int, row: str, who: str) -> Iterator[str]:
        first, by = seen.setdefault((age, run, branch, step), (row, who))
        if first != row:
            yield f"1 step {step} of branch {branch}, run {run}: {first} for {by}, {row} for {who}"

    for (run, branch), timeline in h.timelines.items():
        for step, row in timeline.stored.items():
            yield from other(1 if h.lost[1] < len(h.events) else 0, run, branch, step, row, "the database")
    for call, answer in h.of("next_lr"):
        for i, row in enumerate(answer["rows"]):
            where = call["run_uid"], call["branch"], answer["first_step"] + i
            yield from other(h.age(answer), *where, row, answer["message"])
    for _, answer in h.of("acquire_run"):
        where = answer["run_uid"], answer["branch"], answer["step"]
        yield from other(h.age(answer), *where, answer["rows"][0], answer["message"])
    own: dict[tuple[str, int], str] = {}
    taken: dict[
        str, int
    ] = {}  # where a rank has taken its run last: what it asked for before, it does not hold
    ages: dict[tuple[str, int, int], int] = {}  # of the answer by which a rank first held a branch's step
    for e in h.events:
        if e["event"] == "returned":
            call, answer = (
                h.calls[e["message"]],
                h.events[e["answer"]],
            )  # which may be of a life that is over by now
            client = call["client"]
            if call["method"] == "acquire_run":
                taken[client] = e["place"]
                ages.setdefault((client, answer["branch"], answer["step"]), h.age(answer))
            elif call["method"] == "next_lr" and call["place"] > taken[client]:
                for step in range(call["from_step"], e["end"]):
                    ages.setdefault((client, call["branch"], step), h.age(answer))
        elif e["event"] == "used":
            age = ages.get((e["client"], e["branch"], e["step"]), h.age(e))
            yield from other(age, e["run_uid"], e["branch"], e["step"], e["row"], e["client"])
            before = own.setdefault((e["client"], e["step"]), e["row"])
            if not e["row"].startswith(before):  # there may be more param groups
                yield f"1 {e['client']} had {before} at step {e['step']}, and has {e['row']} now"


def loss_is_noticed(h: Indexed) -> Iterator[str]:
    """1: nobody is given steps by another database than the one that the run was acquired from."""
    epoch = None
    for e in h.events:
        if e["event"] == "server_up":
            epoch = e["epoch"]
        elif e["event"] == "answered" and e["reason"] is None:
            call = h.calls[e["message"]]
            if call["method"] == "next_lr" and call["epoch"] != epoch:
                yield f"1 {e['message']} belongs to the database {call['epoch']}, and {epoch} answers"


def answered_is_stored(h: Indexed) -> Iterator[str]:
    """2: what was answered is in the database."""
    for call, answer in h.kept("next_lr"):
        timeline = h.timelines.get((call["run_uid"], call["branch"]))
        for i, row in enumerate(answer["rows"]):
            step = answer["first_step"] + i
            stored = None if timeline is None else timeline.row(step)
            if stored != row:
                yield f"2 step {step} was answered to {answer['message']} as {row}, and is stored as {stored}"
                break
    starts = {(row["run_uid"], row["incarnation"]): row for row in h.tables["incarnations"]}
    for call, answer in h.kept("acquire_run"):
        row = starts.get((answer["run_uid"], call["incarnation"]))
        repaired = h.age(answer) and row is not None  # who comes back has the fence that it had
        if row is None or (row["fence"] != answer["fence"] and not repaired):
            yield f"2 the fence {answer['fence']} of {call['incarnation']} is not stored"


def rollbacks_fence(h: Indexed) -> Iterator[str]:
    """4: a rollback is one branch, begins where it was to, and has a fence above all that were given before."""
    names = {row["name"]: row["uid"] for row in h.tables["runs"]}
    if h.lost[1] < len(h.events):
        return
    commits = [e for e in h.events if e["event"] == "commit"]
    for call, answer in h.kept("rollback_run"):
        uid = names[call["run"]]
        made = [
            row
            for row in h.tables["branches"]
            if (row["run_uid"], row["request_id"]) == (uid, call["request_id"])
        ]
        if [(row["branch"], row["origin_step"]) for row in made] != [(answer["branch"], call["to_step"])]:
            yield f"2 the rollback {answer['message']} to {call['to_step']} is stored as {made}"
        before = max(
            (row[2] for e in commits for row in e["runs"] if row[0] == uid and row[1] < answer["branch"]),
            default=0,
        )
        if answer["fence"] <= before:
            yield f"4 the rollback {answer['message']} has the fence {answer['fence']}, and {before} was given before"


def blocks_are_whole(h: Indexed) -> Iterator[str]:
    """2: blocks follow each other up to the frontier, and have their checksums."""
    heads = {(row["uid"], row["branch"]): row["frontier"] for row in h.tables["runs"]}
    for (run, branch), timeline in h.timelines.items():
        step = timeline.origin + 1
        for block in timeline.blocks:
            if block["first_step"] != step:
                yield f"2 branch {branch} of run {run} has a block at {block['first_step']}, not at {step}"
            data = bytes.fromhex(block["data"])
            if block["crc"] != zlib.crc32(data, zlib.crc32(block["first_step"].to_bytes(8, "little"))):
                yield f"2 the block at {step} of branch {branch} of run {run} fails its checksum"
            step = block["first_step"] + block["count"]
        if (run, branch) in heads and heads[run, branch] != step:
            yield f"2 run {run} has the frontier {heads[run, branch]}, and its blocks end at {step}"


def edits_are_kept(h: Indexed) -> Iterator[str]:
    """2: an acknowledged edit is in the log once, with its step, not before what had been answered."""
    names = {row["name"]: row["uid"] for row in h.tables["runs"]}
    asked_first: dict[tuple[str, str], int] = {}
    for e in h.calls.values():
        if e["method"] == "edit_run":
            asked_first.setdefault((e["run"], e["request_id"]), e["place"])
    for call, answer in h.kept("edit_run"):
        rows = [
            row
            for row in h.tables["edits"]
            if (row["run_uid"], row["request_id"]) == (names.get(call["run"]), call["request_id"])
        ]
        what = f"the edit {call['request_id']} ({answer['message']})"
        if [(row["revision"], row["effective_step"]) for row in rows] != [
            (answer["revision"], answer["step"])
        ]:
            yield f"2 {what} was acknowledged as {answer['revision']}, {answer['step']}; the log has {rows}"
            continue
        (row,) = rows
        if answer["revision"] != call["expected_revision"] + 1:
            yield f"2 {what} was to follow revision {call['expected_revision']}, and is {answer['revision']}"
        if (row["author"], row["reason"]) != (call["author"], call["reason"]):
            yield f"9 {what} is not its author's: {row['author']}, {row['reason']}"
        if call["not_after_step"] is not None and answer["step"] > call["not_after_step"]:
            yield f"2 {what} acts at {answer['step']}, after {call['not_after_step']}"
        if call["at_step"] is not None and answer["step"] < call["at_step"]:
            yield f"2 {what} acts at {answer['step']}, before {call['at_step']}"
        for asked, given in h.kept("next_lr"):
            same = (asked["run_uid"], asked["branch"]) == (row["run_uid"], row["branch"])
            before = given["place"] < asked_first[call["run"], call["request_id"]]
            if same and before and given["frontier"] > answer["step"]:
                yield f"2 {what} acts at {answer['step']}, and {given['frontier']} had been reached before"
                break


def values_follow_the_log(h: Indexed) -> Iterator[str]:
    """2: stored values are those of the edit in force, by an evaluation of its own."""
    for (run, branch), timeline in h.timelines.items():
        end = max(timeline.stored, default=timeline.origin) + 1
        expected = timeline.values(end)
        for step, row in timeline.stored.items():
            if expected[step] != row:
                yield f"2 step {step} of branch {branch}, run {run} is {row}; the log gives {expected[step]}"
                break
        if timeline.branch["origin_values"] != expected[timeline.origin]:
            yield f"5 branch {branch} of run {run} does not begin where its parent was"


def repeats_change_nothing(h: Indexed) -> Iterator[str]:
    """3: a request moves the frontier to a step of its own at most; the same again has the same answer."""
    for e in h.events:
        for message, run, _, _, before, after in e.get("advances", ()):
            call = h.calls[message]
            if after > max(before, call["from_step"] + call["count"]):
                yield f"3 {message} asked for {call['from_step']} + {call['count']}; {run} went to {after}"
    first: dict[Any, Any] = {}
    for call, answer in h.kept("edit_run"):
        facts = (answer["revision"], answer["step"], call["definition"])
        if first.setdefault((call["run"], call["request_id"]), facts) != facts:
            yield f"3 the edit {call['request_id']} is answered with {facts}, before with {first}"
    for call, answer in h.of("acquire_run"):
        key = (h.age(answer), answer["run_uid"], call["incarnation"])
        if first.setdefault(key, answer["fence"]) != answer["fence"] and not h.age(answer):
            yield f"3 {call['incarnation']} has the fence {answer['fence']}, and had {first[key]}"
    for call, answer in h.of("acquire_run"):
        fence = (h.age(answer), answer["run_uid"], answer["fence"])
        if first.setdefault(fence, call["incarnation"]) != call["incarnation"]:
            yield f"4 the fence {answer['fence']} was given to {first[fence]} and to {call['incarnation']}"
    fences = [(row["run_uid"], row["fence"]) for row in h.tables["incarnations"]]
    if len(fences) != len(set(fences)):
        yield "4 two starts have one fence"


def fenced_move_nothing(h: Indexed) -> Iterator[str]:
    """4: a fence moves its run only as long as it is the run's; who is fenced ends."""
    fences: dict[str, int] = {}
    acknowledged: dict[str, tuple[int, int]] = {}
    fenced: dict[str, int] = {}
    arrived: dict[str, int] = {}
    for e in h.events:
        if e["event"] == "restored":
            fences, acknowledged, arrived = {}, {}, {}
        if e["event"] == "commit":
            moved = {row[0]: row for row in e["runs"]}
            for message, run, fence, _, _, after in e["advances"]:
                if run in moved and moved[run][3] == after and fence < fences.get(run, 0):
                    yield f"4 {message} with the fence {fence} moved run {run}, which {fences[run]} has"
            fences.update((row[0], row[2]) for row in e["runs"])
        elif e["event"] == "arrived":
            arrived.setdefault(e["message"], e["place"])
        elif e["event"] == "answered" and e["reason"] is None and "fence" in e and "created" in e:
            fence, since = acknowledged.get(e["run_uid"], (0, 0))
            if e["fence"] < fence and arrived.get(e["message"], 0) > since:
                yield f"4 {e['message']} was given the fence {e['fence']} after {fence}"
            if e["fence"] > fence:
                acknowledged[e["run_uid"]] = e["fence"], e["place"]
        elif e["event"] == "refused" and e["reason"] == "RunFenced":
            fenced.setdefault(h.calls[e["message"]]["client"], e["place"])
        elif e["event"] == "call" and e["method"] == "acquire_run" and e["client"] in fenced:
            if e["adds_groups"]:  # asked before it was fenced, and once more since no answer came
                continue
            yield f"4 {e['client']} asks for the run again, after it was fenced"


def resumes_are_exact(h: Indexed) -> Iterator[str]:
    """5: a checkpoint's step is resumed on its own past."""
    for call, answer in h.of("acquire_run"):
        if call["checkpoint"] is None:
            continue
        run, left, step = call["checkpoint"]
        if (answer["run_uid"], answer["step"]) != (run, step):
            yield f"5 {answer['message']} resumes at {answer['step']}, not at its checkpoint's {step}"
            continue
        if answer["place"] > h.lost[0]:  # a repair may have given the branch another number
            continue
        timeline = h.timelines[run, answer["branch"]]
        home = h.timelines[run, left]
        while home.parent is not None and step <= home.origin:
            home = home.parent
        homes = left, home.branch["branch"]
        while (
            timeline.branch["branch"] not in homes and timeline.parent is not None and timeline.origin >= step
        ):
            timeline = timeline.parent
        if timeline.branch["branch"] not in homes:
            yield f"5 {answer['message']} resumes branch {left} on {answer['branch']}, which left it before {step}"


def ranks_wait_at_their_end_only(h: Indexed) -> Iterator[str]:
    """7: a rank that holds a step's row asks nobody for it."""
    ends: dict[str, int] = {}
    branches: dict[str, int] = {}
    for e in h.events:
        if e["event"] == "returned":
            call = h.calls[e["message"]]
            if call["method"] == "acquire_run":
                ends.pop(call["client"], None)
                branches[call["client"]] = e["branch"]
            elif call["method"] == "next_lr" and call["branch"] == branches[call["client"]]:
                held = e["end"]
                if call["from_step"] <= ends.get(call["client"], held):
                    ends[call["client"]] = max(ends.get(call["client"], 0), held)
        elif e["event"] == "waits" and e["step"] < ends.get(e["client"], 0):
            yield f"7 {e['client']} waits for step {e['step']}, and has been given those below {ends[e['client']]}"


def frontier_goes_on(h: Indexed) -> Iterator[str]:
    """The frontier of a branch, a run's fence, branch and revision never fall."""
    runs: dict[str, list[Any]] = {}
    for e in h.events:
        if e["event"] == "restored":
            runs = {}
        for row in e["runs"] if e["event"] == "commit" else ():
            uid, branch, fence, frontier, revision, _ = row
            before = runs.get(uid, row)
            if branch == before[1] and frontier < before[3]:
                yield f"3 the frontier of {uid} falls from {before[3]} to {frontier}"
            if branch < before[1] or fence < before[2] or revision < before[4]:
                yield f"4 run {uid} falls from {before} to {row}"
            runs[uid] = row


def frontier_waits_for_ranks(h: Indexed) -> Iterator[str]:
    """The frontier moves at most two windows beyond the next step of the slowest rank that the server has heard of."""
    jumps = 0
    arrived: dict[tuple[str, str], tuple[int, int]] = {}
    applied: dict[tuple[Any, ...], int] = {}
    heard: dict[tuple[Any, ...], dict[int, tuple[int, int]]] = {}
    elsewhere: dict[tuple[Any, ...], set[str]] = {}
    for e in h.events:
        if e["event"] == "clock_jump":
            jumps += 1
        elif e["event"] == "server_up":
            for found in (applied, heard):
                for key in [key for key in found if key[0] == e["server"]]:
                    del found[key]
        elif e["event"] == "arrived" and h.calls[e["message"]]["method"] == "next_lr":
            call = h.calls[e["message"]]
            arrived[e["message"], e["server"]] = e["clock"], jumps
            key = (e["server"], call["run_uid"], call["fence"], call["rank"])
            applied[key] = max(applied.get(key, 0), call["applied"])
            elsewhere.setdefault(key[1:], set()).add(e["server"])
        elif e["event"] == "answered" and e["reason"] is None:
            call = h.calls[e["message"]]
            if call["method"] == "next_lr":
                key = (e["server"], call["run_uid"], call["fence"])
                heard.setdefault(key, {})[call["rank"]] = arrived[e["message"], e["server"]]
        elif e["event"] == "commit":
            for message, run, fence, _, before, after in e["advances"]:
                call = h.calls[message]
                key = (e["server"], run, fence)
                ranks = [call["rank"]] + [
                    rank
                    for rank, (clock, when) in heard.get(key, {}).items()
                    if when == jumps
                    and e["clock"] - clock < _LATELY
                    and len(elsewhere[run, fence, rank]) == 1
                ]
                lowest = min(applied[*key, rank] for rank in ranks)
                if after > max(before, lowest + 1 + 2 * call["count"]):
                    yield f"3 {message} takes {run} to {after}, and a rank is at {lowest}: more than two windows"


def explained(h: Indexed) -> Iterator[str]:
    """9: Explain tells the value, what rules, who made it so, and who asked for the step first."""
    holders = {(row["run_uid"], row["fence"]): row["incarnation"] for row in h.tables["incarnations"]}
    names = {row["name"]: row["uid"] for row in h.tables["runs"]}
    for call, answer in h.of("explain"):
        step, run = call["step"], names[call["run"]]
        timeline = h.timelines[run, answer["branch"]]
        what = f"9 step {step} of branch {answer['branch']}, run {run}"
        if answer["rows"] != [timeline.stored[step]]:
            yield f"{what} is explained as {answer['rows']}, and is {timeline.stored[step]}"
        edit, block = timeline.ruling(step), timeline.block_of[step]
        if answer["revision"] != (edit or timeline.branch)["revision"]:
            yield f"{what} has the revision {answer['revision']}, and {edit} rules"
        if block["revision"] != answer["revision"]:
            yield f"{what} was evaluated with revision {block['revision']}, and has {answer['revision']}"
        expected = [
            [e["revision"], e["request_id"], e["effective_step"], e["author"], e["reason"]]
            for e in timeline.in_force(step)
        ]
        if answer["edits"] != expected:
            yield f"{what} has the edits {answer['edits']}; the log has {expected}"
        if (answer["fence"], answer["holder"]) != (block["fence"], holders.get((run, block["fence"]), "")):
            yield f"{what} was asked for by {answer['holder']}, and the block has {block['fence']}"


def all_is_well(h: Indexed) -> Iterator[str]:
    """No request meets a fault of the server's own; in the end every job gets on."""
    for e in h.events:
        if e["event"] == "fault":
            yield f"0 {e['message']}: {e['said']}"
        if e["event"] == "answered" and e["reason"] == "DataCorrupted":
            yield f"1 {e['message']} finds damaged data"
        if e["event"] in ("ended", "fetch_refused") and e["reason"] == "BadAnswer":
            yield f"1 {e['client']} cannot take what the server answers"
        if e["event"] == "last_start" and e["steps"] < _STEPS_AT_THE_END:
            yield f"7 {e['run']} does not get on when nothing goes wrong any more: {json.dumps(e)}"


CHECKS: tuple[Check, ...] = (
    one_bit_pattern,
    loss_is_noticed,
    answered_is_stored,
    rollbacks_fence,
    blocks_are_whole,
    edits_are_kept,
    values_follow_the_log,
    repeats_change_nothing,
    fenced_move_nothing,
    resumes_are_exact,
    ranks_wait_at_their_end_only,
    frontier_goes_on,
    frontier_waits_for_ranks,
    explained,
    all_is_well,
)
