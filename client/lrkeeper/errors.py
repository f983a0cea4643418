"""Everything that can go wrong, one class for each reason; the same table on the server and the client.

An error travels as a gRPC status with a google.rpc.ErrorInfo of domain "lrkeeper": the class's name is
the reason, its `details` the metadata. `REASONS` finds the class again.
"""

from __future__ import annotations

from typing import ClassVar

DOMAIN = "lrkeeper"


class LrkeeperError(Exception):
    """What every error of lrkeeper is.

    Attributes:
        status: the gRPC status it travels with; empty if it never crosses the wire.
        details: the facts of the message, for programs.
    """

    status: ClassVar[str] = ""

    def __init__(self, message: str, **details: str | int) -> None:
        super().__init__(message)
        self.details = {name: str(value) for name, value in details.items()}


class ServerError(LrkeeperError):
    """An error that the server answers with."""


class InvalidArgument(ServerError, ValueError):
    """A field of the request is missing or wrong; `details["field"]` names it."""

    status = "INVALID_ARGUMENT"


class RunNotFound(ServerError):
    """The server has no run of this name or uid."""

    status = "NOT_FOUND"


class BranchNotFound(ServerError):
    """The run has no such branch."""

    status = "NOT_FOUND"


class ScheduleNotFound(ServerError):
    """The server has no schedule of this name, or not that revision of it."""

    status = "NOT_FOUND"


class ScheduleExists(ServerError):
    """The name belongs to another schedule."""

    status = "ALREADY_EXISTS"


class RunHeld(ServerError):
    """Another start of a job holds the run, and was heard of lately; `details` name it."""

    status = "ALREADY_EXISTS"


class RunAlreadyFinished(ServerError):
    """A fresh start asked for a run that is finished."""

    status = "ALREADY_EXISTS"


class RunExists(ServerError):
    """The name belongs to another run than the checkpoint's."""

    status = "ALREADY_EXISTS"


class RequestIdReused(ServerError):
    """The request id belongs to another request."""

    status = "ALREADY_EXISTS"


class StaleEtag(ServerError):
    """The schedule has changed since it was read."""

    status = "ABORTED"


class StaleRevision(ServerError):
    """The run has changed since it was read; `details["revision"]` is its present revision."""

    status = "ABORTED"


class RunFenced(ServerError):
    """A newer start of the job holds the run; `details` name it. This one must end."""

    status = "FAILED_PRECONDITION"


class UnknownFence(ServerError):
    """The fence is none the run has given: the request belongs to another database."""

    status = "FAILED_PRECONDITION"


class StaleAttempt(ServerError):
    """The start's attempt number is lower than that of a start the run has seen."""

    status = "FAILED_PRECONDITION"


class ScheduleDiffers(ServerError):
    """The job brings another schedule than the run has; the message shows both, and the ways on."""

    status = "FAILED_PRECONDITION"


class GroupsDiffer(ServerError):
    """The job's param groups are not the run's; the message shows the difference."""

    status = "FAILED_PRECONDITION"


class RankDiffers(ServerError):
    """A rank brings something else than the first rank of the same start did."""

    status = "FAILED_PRECONDITION"


class WrongBranch(ServerError):
    """The checkpoint lies on a branch the run has left, beyond the point where it left it."""

    status = "FAILED_PRECONDITION"


class ResumeRefused(ServerError):
    """The start's `on_resume` does not go with what has happened to the run; the message tells it, and the ways on."""

    status = "FAILED_PRECONDITION"


class NotTheForkStep(ServerError):
    """A run that was forked is resumed from a checkpoint of the other run, at another step than the fork's."""

    status = "FAILED_PRECONDITION"


class CheckpointAhead(ServerError):
    """The checkpoint's step is not on the run's timeline: the server has not got that far."""

    status = "FAILED_PRECONDITION"


class RunFinished(ServerError):
    """The run is finished and takes no more steps or edits."""

    status = "FAILED_PRECONDITION"


class RunInUse(ServerError):
    """A start of a job holds the run, and was heard of lately."""

    status = "FAILED_PRECONDITION"


class ScheduleInUse(ServerError):
    """Unfinished runs follow the schedule."""

    status = "FAILED_PRECONDITION"


class ScheduleFails(ServerError):
    """The schedule cannot be evaluated up to the step from which it shall act."""

    status = "FAILED_PRECONDITION"


class StoreChanged(ServerError):
    """The database is not the one the run was acquired from, or an older state of it."""

    status = "FAILED_PRECONDITION"


class StepOutOfRange(ServerError):
    """The step is not one the request can be about; the message names the range."""

    status = "OUT_OF_RANGE"


class EffectiveStepPassed(ServerError):
    """The edit could act only after the step it must not act after."""

    status = "OUT_OF_RANGE"


class DataCorrupted(ServerError):
    """Stored values fail their checksum; nothing is answered from them."""

    status = "DATA_LOSS"


class RemembersOther(ServerError):
    """The job was given other values than the database has: two histories of one run; `details["step"]` is where."""

    status = "DATA_LOSS"


class StorageUnavailable(ServerError):
    """The database does not answer; the request may be repeated."""

    status = "UNAVAILABLE"


class ServerStopping(ServerError):
    """The server is going down; the request may be repeated, to it or the one that takes its place."""

    status = "UNAVAILABLE"


class StorageFull(ServerError):
    """The database has no room; what is committed can still be read."""

    status = "RESOURCE_EXHAUSTED"


class Internal(ServerError):
    """A fault of the server; its log has the id in `details["id"]`."""

    status = "INTERNAL"


class ClientError(LrkeeperError):
    """An error that arises at the client."""


class NotConfigured(ClientError):
    """No server is named; the message says how to name one."""


class MissingExtra(ClientError, ImportError):
    """A part of lrkeeper is used that is not installed; the message names the extra."""


class ServerUnavailable(ClientError):
    """The server cannot be reached (UNAVAILABLE), also after the retries."""


class DeadlineExceeded(ClientError):
    """The server did not answer in time; whether it acted is unknown, and repeating is safe."""


class Stalled(ClientError):
    """The run has not got to the step within the time a step waits: another rank is far behind."""


class BadAnswer(ClientError):
    """The server's answer contradicts the request or its own checksum; nothing was taken from it."""


class UnknownStatus(ClientError):
    """The call failed with a status lrkeeper has no reason for; `details["status"]` names it."""


class UsedAfterFork(ClientError):
    """A client was used in a process forked after it was made."""


class BadCheckpoint(ClientError):
    """A state dict holds no lrkeeper state that this version reads."""


class SchedulerInUse(ClientError):
    """Another living scheduler of this process has the run."""


def _reasons(parent: type[ServerError]) -> dict[str, type[ServerError]]:
    found = {}
    for child in parent.__subclasses__():
        found[child.__name__] = child
        found |= _reasons(child)
    return found


REASONS: dict[str, type[ServerError]] = _reasons(ServerError)
"""Every error a server answers with, by its reason."""
