"""RunService: decode, call, encode."""

from __future__ import annotations

from functools import partial

from lrkeeper.errors import InvalidArgument
from lrkeeper.schedules import codec
from lrkeeper.server.runs import names
from lrkeeper.server.servicers import decode, encode, remembered
from lrkeeper.server.servicers.pages import Pages
from lrkeeper.server.usecases import runs
from lrkeeper.server.usecases.acquire_run import acquire_run
from lrkeeper.server.usecases.committed import Answer
from lrkeeper.server.usecases.edit_run import Change, edit_run, replace_by_stored
from lrkeeper.server.usecases.fork_run import fork_run
from lrkeeper.server.usecases.keeper import Keeper
from lrkeeper.server.usecases.leave_plan import leave_plan
from lrkeeper.server.usecases.next_lr import next_lr
from lrkeeper.server.usecases.report_deviation import report_deviation
from lrkeeper.server.usecases.rollback_run import rollback_run
from lrkeeper.v1 import run_service_pb2 as pb


class RunServicer:
    """The methods of lrkeeper.v1.RunService."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._pages = Pages(keeper.storage.epoch)

    async def next_lr(self, request: pb.NextLrRequest) -> pb.NextLrResponse:
        return await next_lr(self._keeper, decode.steps(request), partial(_steps_taken, request))

    async def acquire_run(self, request: pb.AcquireRunRequest) -> pb.AcquireRunResponse:
        start, schedule_name, carried = decode.start(request)
        told = remembered.remembered(request)
        if start.adds_groups or start.leaves_plan:
            acquired = await leave_plan(self._keeper, start)
        else:
            acquired = await acquire_run(self._keeper, start, schedule_name, carried, told)
        uids = {edit.schedule_uid for edit in acquired.edits if edit.schedule_uid}
        names_by_uid = await runs.schedule_names(self._keeper, uids)
        response = pb.AcquireRunResponse(
            run=acquired.run.name,
            run_uid=acquired.run.uid,
            store_epoch=self._keeper.storage.epoch,
            fence=acquired.fence,
            branch=acquired.branch,
            resume_step=acquired.resume_step,
            frontier=acquired.run.frontier,
            revision=acquired.revision,
            values=acquired.values.to_message(),
            schedule=codec.encode(acquired.schedule),
            cursor=acquired.cursor,
            cursor_step=acquired.cursor_step,
            edits=[encode.edit(edit, names_by_uid) for edit in acquired.edits],
            created=acquired.created,
            repaired=acquired.repaired,
            lost_edits=map(encode.lost_edit, acquired.lost),
        )
        if acquired.given:
            response.given.CopyFrom(acquired.given.to_message())
        return response

    async def edit_run(self, request: pb.EditRunRequest) -> pb.EditRunResponse:
        change, schedule_name = _change(request)
        if schedule_name is None:
            edited = await edit_run(self._keeper, change, validate_only=request.validate_only)
        else:
            edited = await replace_by_stored(
                self._keeper, change, schedule_name, validate_only=request.validate_only
            )
        response = pb.EditRunResponse(
            revision=edited.edit.revision,
            effective_step=edited.edit.effective_step,
            clamped=edited.edit.clamped,
            preview=edited.preview.to_message(),
        )
        if edited.failure is not None:
            response.error.CopyFrom(encode.failure(edited.failure))
        return response

    async def rollback_run(self, request: pb.RollbackRunRequest) -> pb.RollbackRunResponse:
        back = decode.rollback(request)
        found = await rollback_run(self._keeper, back, validate_only=request.validate_only)
        preview, failure = found.preview()
        response = pb.RollbackRunResponse(
            branch=found.branch.branch,
            fence=found.run.fence,
            frontier=found.run.frontier,
            revision=found.run.revision,
            dropped=[encode.edit(edit, found.names) for edit in found.dropped],
            preview=preview.to_message(),
        )
        if failure is not None:
            response.error.CopyFrom(encode.failure(failure))
        return response

    async def fork_run(self, request: pb.ForkRunRequest) -> pb.ForkRunResponse:
        return pb.ForkRunResponse(run=encode.run(await fork_run(self._keeper, decode.fork(request))))

    async def report_deviation(self, request: pb.ReportDeviationRequest) -> pb.ReportDeviationResponse:
        await report_deviation(self._keeper, decode.deviated(request))
        return pb.ReportDeviationResponse()

    async def get_run(self, request: pb.GetRunRequest) -> pb.GetRunResponse:
        view = await runs.get_run(self._keeper, names.check_name("run", request.run))
        return pb.GetRunResponse(run=encode.run(view))

    async def list_runs(self, request: pb.ListRunsRequest) -> pb.ListRunsResponse:
        size = decode.page_size(request.page_size, 100)
        labels = names.check_labels("labels", dict(request.labels), 16)
        state = decode.state(request.state)
        listing = ["runs", labels, state]
        after = self._pages.after(listing, request.page_token)
        found = await runs.list_runs(self._keeper, after, size + 1, labels, state)
        response = pb.ListRunsResponse(runs=[encode.run(v, with_edits=False) for v in found[:size]])
        if len(found) > size:
            response.next_page_token = self._pages.token(listing, found[size - 1].run.uid)
        return response

    async def list_blocks(self, request: pb.ListBlocksRequest) -> pb.ListBlocksResponse:
        run = names.check_name("run", request.run)
        size = decode.page_size(request.page_size, 1000)
        branch = request.branch if request.HasField("branch") else None
        from_step = decode.step("from_step", request.from_step)
        listing = ["blocks", run, branch, from_step]
        after = self._pages.after(listing, request.page_token)
        if after is not None:
            branch, from_step = after
        branch, found = await runs.list_blocks(self._keeper, run, branch, from_step, size + 1)
        response = pb.ListBlocksResponse(blocks=[encode.block(block) for block in found[:size]])
        if len(found) > size:
            response.next_page_token = self._pages.token(listing, [branch, found[size].table.first_step])
        return response

    async def explain(self, request: pb.ExplainRequest) -> pb.ExplainResponse:
        run = names.check_name("run", request.run)
        step = decode.step("step", request.step)
        branch = request.branch if request.HasField("branch") else None
        found = await runs.explain(self._keeper, run, step, branch)
        response = pb.ExplainResponse(
            run=found.run.name,
            branch=found.branch,
            values=found.values.to_message(),
            schedule=codec.encode(found.schedule),
            revision=found.revision,
            edits=[encode.edit(edit, found.names) for edit in found.edits],
            evaluator_version=found.evaluator_version,
            fence=found.fence,
            origin=found.origin,
            deviations=encode.deviations(found.deviations, step),
        )
        if found.followed is not None:
            response.schedule_name, response.schedule_revision = found.followed
        if found.holder is not None:
            response.holder.CopyFrom(encode.holder(found.holder))
        if found.given:
            response.given.CopyFrom(found.given.to_message())
        return response

    async def finish_run(self, request: pb.FinishRunRequest) -> pb.FinishRunResponse:
        fence = request.fence if request.HasField("fence") else None
        view = await runs.finish_run(self._keeper, names.check_name("run", request.run), fence)
        return pb.FinishRunResponse(run=encode.run(view))

    async def delete_run(self, request: pb.DeleteRunRequest) -> pb.DeleteRunResponse:
        run = names.check_name("run", request.run)
        await runs.delete_run(self._keeper, run, force=request.force)
        return pb.DeleteRunResponse()


def _change(request: pb.EditRunRequest) -> tuple[Change, str | None]:
    """Return an edit, and the stored schedule it names instead of giving a definition."""
    if request.WhichOneof("operation") != "replace":
        raise InvalidArgument("operation is missing; this server knows replace", field="operation")
    if not request.HasField("expected_revision"):
        raise InvalidArgument(
            "expected_revision is missing; give the run's revision as last read", field="expected_revision"
        )
    definition, schedule_name = decode.replacement(request.replace)
    change = Change(
        run=names.check_name("run", request.run),
        request_id=names.check_request_id(request.request_id),
        definition=definition,
        expected_revision=request.expected_revision,
        at_step=decode.step("at_step", request.at_step) if request.HasField("at_step") else None,
        not_after_step=request.not_after_step if request.HasField("not_after_step") else None,
        author=decode.text("author", request.author),
        reason=decode.text("reason", request.reason),
        parameters=dict(request.parameters),
    )
    return change, schedule_name


def _steps_taken(request: pb.NextLrRequest, answer: Answer) -> pb.NextLrResponse:
    block = answer.block
    if answer.table is None or block is None:
        response = pb.NextLrResponse(frontier=answer.frontier, revision=request.revision)
    else:
        response = pb.NextLrResponse(
            values=answer.table.to_message(),
            revision=block.revision,
            frontier=answer.frontier,
            cursor=block.cursor,
            cursor_step=block.table.first_step - 1,
        )
        if request.ahead:
            response.learned.extend(given.to_message() for given in answer.learned)
        elif answer.learned:
            response.given.CopyFrom(answer.learned[0].to_message())
    if answer.schedule is not None:
        response.schedule.CopyFrom(codec.encode(answer.schedule))
    if answer.failure is not None:
        response.error.CopyFrom(encode.failure(answer.failure))
    return response
