"""Operators: they edit runs and update stored schedules, and ask again until they have an answer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

from lrkeeper.schedules import codec
from lrkeeper.v1 import run_service_pb2, schedule_service_pb2
from tests.simulation.definitions import a_definition
from tests.simulation.rank import RETRIED
from tests.simulation.server import Refused, Unanswered

if TYPE_CHECKING:
    from tests.simulation.job import Job
    from tests.simulation.world import World


class Operator:
    """A person who changes runs."""

    def __init__(self, world: World, name: str) -> None:
        self._world, self._name = world, name

    async def edit(self, job: Job) -> None:
        """Edit a job's run; now and then wrongly, or twice."""
        faults, random = self._world.faults, self._world.random
        try:
            run = (await self._call("get_run", run_service_pb2.GetRunRequest(run=job.name))).run
        except Refused:
            return
        request = run_service_pb2.EditRunRequest(
            run=job.name,
            request_id=self._id(),
            expected_revision=run.revision,
            author=self._name,
            reason=f"reason {random.randrange(1000)}",
        )
        self._define(request, job)
        if faults.fires("edit_at_step"):
            request.at_step = max(0, run.frontier + random.randrange(-5, 25))
        if faults.fires("edit_not_after_step"):
            request.not_after_step = max(0, run.frontier + random.randrange(-3, 12))
        if run.revision > 1 and faults.fires("edit_stale_revision"):
            request.expected_revision -= 1
        await self._tried("edit_run", request)
        if faults.fires("edit_repeated"):
            await asyncio.sleep(random.choice((0.0, 1.0, 30.0)))
            await self._tried("edit_run", request)
        if faults.fires("edit_id_reused"):
            self._define(request, job)
            await self._tried("edit_run", request)

    async def roll_back(self, job: Job) -> None:
        """Take a job's run some steps back; now and then with another schedule, or twice."""
        random = self._world.random
        try:
            run = (await self._call("get_run", run_service_pb2.GetRunRequest(run=job.name))).run
        except Refused:
            return
        request = run_service_pb2.RollbackRunRequest(
            run=job.name,
            to_step=random.randrange(run.origin_step, run.frontier),
            request_id=self._id(),
            expected_revision=run.revision,
            keep_edits=random.random() < 0.5,
            author=self._name,
            reason=f"reason {random.randrange(1000)}",
        )
        if random.random() < 0.4:
            self._define(request, job)
        done = await self._tried("rollback_run", request)
        if self._world.faults.fires("rollback_repeated"):
            await asyncio.sleep(random.choice((0.0, 1.0, 30.0)))
            await self._tried("rollback_run", request)
        if done is not None:
            self._world.faults.note("rollback")

    def _define(self, request: Any, job: Job) -> None:
        definition = a_definition(job.kind, self._world.number(), self._world.random)
        request.replace.schedule.CopyFrom(codec.encode(definition))

    async def update(self) -> None:
        """Update the stored schedule."""
        try:
            found = await self._call("get_schedule", schedule_service_pb2.GetScheduleRequest(name="plan"))
        except Refused:
            return
        definition = a_definition("closed", self._world.number(), self._world.random)
        request = schedule_service_pb2.UpdateScheduleRequest(
            name="plan",
            schedule=codec.encode(definition),
            etag=found.schedule.etag,
            request_id=self._id(),
            author=self._name,
            reason="an update",
        )
        await self._tried("update_schedule", request)

    async def create(self) -> None:
        """Store the schedule that jobs follow."""
        definition = a_definition("closed", self._world.number(), self._world.random)
        request = schedule_service_pb2.CreateScheduleRequest(name="plan", schedule=codec.encode(definition))
        await self._tried("create_schedule", request)

    async def explain(self, run: str, branch: int, step: int) -> None:
        """Have a step explained."""
        await self._tried("explain", run_service_pb2.ExplainRequest(run=run, branch=branch, step=step))

    async def _tried(self, method: str, request: Any) -> Any:
        try:
            return await self._call(method, request)
        except Refused:
            return None

    async def _call(self, method: str, request: Any) -> Any:
        while True:
            try:
                return await self._world.network.call(self._name, method, request)
            except Refused as error:
                if error.reason not in RETRIED:
                    raise
            except Unanswered:
                pass
            await asyncio.sleep(self._world.random.uniform(0.1, 2.0))

    def _id(self) -> str:
        return str(UUID(int=self._world.random.getrandbits(128), version=4))
