"""moto behind one function.

Invariant: the answer is whole when it comes back, so that whoever stands in front may look at it or drop it.
"""

from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import run_wsgi_app

from pierhead_sandbox.aws import sqs
from pierhead_sandbox.aws.answer import Answer


class Moto:
    """Every service of moto."""

    def __init__(self) -> None:
        sqs.quicken()
        self._application = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: dict[str, Any]) -> Answer:
        """Answer one request."""
        chunks, status, headers = run_wsgi_app(self._application, environ, buffered=True)
        return Answer(int(status.split(" ", 1)[0]), b"".join(chunks), list(headers.items()))
