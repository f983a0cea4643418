"""ScheduleService: decode, call, encode."""

from __future__ import annotations

from lrkeeper.errors import InvalidArgument
from lrkeeper.schedules import codec
from lrkeeper.server.presets import presets
from lrkeeper.server.runs import names
from lrkeeper.server.servicers import decode, encode
from lrkeeper.server.servicers.pages import Pages
from lrkeeper.server.usecases import schedules
from lrkeeper.server.usecases.keeper import Keeper
from lrkeeper.v1 import schedule_service_pb2 as pb


class ScheduleServicer:
    """The methods of lrkeeper.v1.ScheduleService."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._pages = Pages(keeper.storage.epoch)

    async def create_schedule(self, request: pb.CreateScheduleRequest) -> pb.CreateScheduleResponse:
        revision = await schedules.create_schedule(
            self._keeper,
            names.check_own_schedule("name", request.name),
            decode.definition_of(request.schedule, "schedule"),
            author=decode.text("author", request.author),
            reason=decode.text("reason", request.reason),
        )
        return pb.CreateScheduleResponse(schedule=encode.stored_schedule(revision, 0))

    async def get_schedule(self, request: pb.GetScheduleRequest) -> pb.GetScheduleResponse:
        revision = request.revision if request.HasField("revision") else None
        name = names.check_schedule("name", request.name)
        found, followers = await schedules.get_schedule(self._keeper, name, revision)
        return pb.GetScheduleResponse(schedule=encode.stored_schedule(found, followers))

    async def list_schedules(self, request: pb.ListSchedulesRequest) -> pb.ListSchedulesResponse:
        size = decode.page_size(request.page_size, 100)
        after = self._pages.after("schedules", request.page_token) or ""
        found = await schedules.list_schedules(self._keeper, after, size + 1)
        response = pb.ListSchedulesResponse(
            schedules=[encode.stored_schedule(revision, followers) for revision, followers in found[:size]]
        )
        if not request.page_token:
            response.presets.extend(encode.stored_schedule(each, 0) for each in presets().values())
        if len(found) > size:
            response.next_page_token = self._pages.token("schedules", found[size - 1][0].name)
        return response

    async def update_schedule(self, request: pb.UpdateScheduleRequest) -> pb.UpdateScheduleResponse:
        if not request.etag:
            raise InvalidArgument("etag is missing; give the schedule's etag as last read", field="etag")
        revision, followers = await schedules.update_schedule(
            self._keeper,
            names.check_own_schedule("name", request.name),
            decode.definition_of(request.schedule, "schedule"),
            etag=request.etag,
            request_id=names.check_request_id(request.request_id),
            author=decode.text("author", request.author),
            reason=decode.text("reason", request.reason),
        )
        return pb.UpdateScheduleResponse(
            schedule=encode.stored_schedule(revision, len(followers)),
            followers=[
                pb.Follower(run=f.run, effective_step=f.effective_step, refusal=f.refusal) for f in followers
            ],
        )

    async def delete_schedule(self, request: pb.DeleteScheduleRequest) -> pb.DeleteScheduleResponse:
        name = names.check_own_schedule("name", request.name)
        await schedules.delete_schedule(self._keeper, name, request.etag)
        return pb.DeleteScheduleResponse()

    async def preview_schedule(self, request: pb.PreviewScheduleRequest) -> pb.PreviewScheduleResponse:
        if request.WhichOneof("definition") == "name":
            name = names.check_schedule("name", request.name)
            found, _ = await schedules.get_schedule(self._keeper, name, None)
            schedule = codec.from_json(found.definition)
        else:
            schedule = decode.schedule(request.schedule, "schedule")
        schedule = decode.filled(schedule, request.parameters)
        base = decode.base_row(request, schedule)
        first = request.first_step
        pace = decode.pace(request.pace)
        table, failure = await schedules.preview_schedule(schedule, base, first, request.steps, pace)
        response = pb.PreviewScheduleResponse(values=table.to_message(), schedule=codec.encode(schedule))
        if failure is not None:
            response.error.CopyFrom(encode.failure(failure))
        return response
