"""ServerService: the server about itself."""

from __future__ import annotations

from lrkeeper import __version__
from lrkeeper.schedules.cursor import EVALUATOR_VERSION
from lrkeeper.schedules.fingerprint import math_fingerprint
from lrkeeper.server.servicers import encode
from lrkeeper.server.usecases.keeper import Keeper
from lrkeeper.v1 import server_service_pb2 as pb


class ServerServicer:
    """The methods of lrkeeper.v1.ServerService."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    async def get_server(self, request: pb.GetServerRequest) -> pb.GetServerResponse:
        return pb.GetServerResponse(
            version=__version__,
            evaluator_version=EVALUATOR_VERSION,
            math_fingerprint=math_fingerprint(),
            store_epoch=self._keeper.storage.epoch,
            database=self._keeper.storage.kind,
            server_time=encode.time(self._keeper.now()),
        )
