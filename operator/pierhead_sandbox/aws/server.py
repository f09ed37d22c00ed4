"""The AWS stand-in as one HTTP server on loopback.

Invariant: everything is on one port, so one AWS_ENDPOINT_URL is enough. moto keeps its world in the process,
so stand-ins in one process share every service but Batch; start a process each where that matters.
"""

import threading
from pathlib import Path
from typing import Self

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import get_account_id_from
from moto.moto_api._internal.models import moto_api_backend
from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug.serving import BaseWSGIServer, make_server

from pierhead_sandbox.aws.batch.api import BatchApi
from pierhead_sandbox.aws.batch.playhouse import Playhouse
from pierhead_sandbox.aws.bus import Bus
from pierhead_sandbox.aws.calls import CallLog
from pierhead_sandbox.aws.control import AwsControl
from pierhead_sandbox.aws.door import Door
from pierhead_sandbox.aws.ecr import Ecr
from pierhead_sandbox.aws.eks_auth import EksAuth
from pierhead_sandbox.aws.faults import FaultBook
from pierhead_sandbox.aws.front import Front
from pierhead_sandbox.aws.moto_app import Moto
from pierhead_sandbox.aws.secretsmanager import SecretsManager
from pierhead_sandbox.aws.ssm import ParameterStore
from pierhead_sandbox.aws.written import WrittenValues


class _QuietHandler(MotoRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Counters say more than access lines."""


class AwsStandIn:
    """A running stand-in: `url` for AWS_ENDPOINT_URL, `control` for what AWS has no API for."""

    def __init__(self, server: BaseWSGIServer, playhouse: Playhouse, stopping: threading.Event) -> None:
        self._server = server
        self._playhouse = playhouse
        self._stopping = stopping
        self._thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.control = AwsControl(self.url)
        self.batch = self.control.batch
        playhouse.start(self.url)
        self._thread.start()

    @classmethod
    def start(cls, port: int = 0, *, directory: Path | None = None) -> Self:
        """Listen on 127.0.0.1; port 0 takes a free one. `directory` keeps the logs of local processes."""
        stopping = threading.Event()
        calls, faults, written, bus = CallLog(), FaultBook(), WrittenValues(), Bus()
        playhouse = Playhouse(bus, directory)
        moto = Moto()
        ecr, eks_auth = Ecr(moto, bus), EksAuth()
        door = Door(
            calls=calls,
            faults=faults,
            written=written,
            world=playhouse.world,
            ecr=ecr,
            eks_auth=eks_auth,
            account=DEFAULT_ACCOUNT_ID,
            reset_moto=moto_api_backend.reset,
        )
        front = Front(
            moto=moto,
            door=door,
            services={
                "ecr": ecr,
                "eks-auth": eks_auth,
                "batch": BatchApi(playhouse.world, get_account_id_from),
                "secretsmanager": SecretsManager(moto, faults, bus),
                "ssm": ParameterStore(moto),
            },
            calls=calls,
            faults=faults,
            written=written,
            stopping=stopping,
        )
        server = make_server("127.0.0.1", port, front, threaded=True, request_handler=_QuietHandler)
        return cls(server, playhouse, stopping)

    def stop(self) -> None:
        """Close the port, let go whoever hangs, and end every process that jobs started."""
        self._stopping.set()
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._playhouse.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
