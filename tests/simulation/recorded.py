"""What of requests and answers goes into the history: plain values, the bits of rows in hexadecimal."""

from __future__ import annotations

from typing import Any

from tests.simulation.history import hexed


def request_facts(method: str, request: Any) -> dict[str, Any]:
    """Return what a request asks for."""
    if method == "next_lr":
        return {
            "run_uid": request.run_uid,
            "epoch": request.store_epoch,
            "fence": request.fence,
            "branch": request.branch,
            "rank": request.rank,
            "from_step": request.from_step,
            "count": request.count,
            "applied": request.applied_step,
            "frontier": request.frontier,
            "given": _given(request),
        }
    if method == "acquire_run":
        place = request.checkpoint
        return {
            "run": request.run,
            "incarnation": request.incarnation,
            "attempt": request.attempt if request.HasField("attempt") else None,
            "rank": request.rank,
            "world_size": request.world_size,
            "adds_groups": request.adds_groups,
            "remembers": request.HasField("remembered"),
            "checkpoint": [place.run_uid, place.branch, place.step]
            if request.HasField("checkpoint")
            else None,
        }
    if method == "edit_run":
        return {
            "run": request.run,
            "request_id": request.request_id,
            "expected_revision": request.expected_revision,
            "definition": definition_of(request.replace.schedule),
            "at_step": request.at_step if request.HasField("at_step") else None,
            "not_after_step": request.not_after_step if request.HasField("not_after_step") else None,
            "author": request.author,
            "reason": request.reason,
        }
    if method == "rollback_run":
        return {
            "run": request.run,
            "request_id": request.request_id,
            "expected_revision": request.expected_revision,
            "to_step": request.to_step,
            "author": request.author,
            "reason": request.reason,
        }
    if method in ("create_schedule", "update_schedule"):
        return {"name": request.name, "definition": definition_of(request.schedule)}
    if method == "explain":
        return {"run": request.run, "step": request.step, "branch": request.branch}
    return {}


def answer_facts(method: str, answer: Any) -> dict[str, Any]:
    """Return what an answer says."""
    if method == "next_lr":
        return {
            "first_step": answer.values.first_step,
            "rows": rows_of(answer.values),
            "revision": answer.revision,
            "frontier": answer.frontier,
            "error_step": answer.error.step if answer.HasField("error") else None,
        }
    if method == "acquire_run":
        return {
            "run_uid": answer.run_uid,
            "epoch": answer.store_epoch,
            "fence": answer.fence,
            "branch": answer.branch,
            "step": answer.resume_step,
            "frontier": answer.frontier,
            "rows": rows_of(answer.values),
            "created": answer.created,
            "repaired": answer.repaired,
        }
    if method == "edit_run":
        return {
            "revision": answer.revision,
            "step": answer.effective_step,
            "clamped": answer.clamped,
            "rows": rows_of(answer.preview),
            "first_step": answer.preview.first_step,
        }
    if method == "rollback_run":
        return {
            "branch": answer.branch,
            "fence": answer.fence,
            "frontier": answer.frontier,
            "revision": answer.revision,
            "first_step": answer.preview.first_step,
            "rows": rows_of(answer.preview),
        }
    if method == "update_schedule":
        return {
            "revision": answer.schedule.revision,
            "followers": [[f.run, f.effective_step, f.refusal] for f in answer.followers],
        }
    if method == "explain":
        return {
            "branch": answer.branch,
            "rows": rows_of(answer.values),
            "definition": definition_of(answer.schedule),
            "revision": answer.revision,
            "fence": answer.fence,
            "holder": answer.holder.incarnation,
            "edits": [[e.revision, e.request_id, e.effective_step, e.author, e.reason] for e in answer.edits],
            "origin": answer.origin,
        }
    return {}


def received_facts(method: str, answer: Any) -> dict[str, Any]:
    """Return what a client knows by an answer, as far as it depends on which of several it got."""
    if method == "next_lr":
        return {"end": answer.values.first_step + answer.values.count}
    return {"branch": answer.branch} if method == "acquire_run" else {}


def rows_of(values: Any) -> list[str]:
    """Return the rows of a message, whose columns may stand for several, or be of one value."""
    columns = [
        bytes(c) * values.count if len(c) == 8 < 8 * values.count else bytes(c) for c in values.columns
    ]
    index = values.index or range(len(columns))
    return hexed(b"".join(columns[i] for i in index), values.count) if columns else []


def definition_of(message: Any) -> list[Any] | None:
    """Return a definition of the simulation's kinds as its kind and its number."""
    kind = message.WhichOneof("kind")
    if kind == "expression":
        return ["expression", message.expression.text]
    if kind == "exponential_lr":
        return ["exponential", message.exponential_lr.gamma]
    return None if kind is None else [kind]


def _given(request: Any) -> Any:
    found = []
    for given in (request.given, *request.ahead):
        progress = getattr(given, "progress", given)
        seen = [list(track.values) for track in getattr(given, "seen", ())]
        found.append([progress.tokens if progress.HasField("tokens") else None, seen[0] if seen else None])
    return found if any(tokens is not None or seen for tokens, seen in found) else None
