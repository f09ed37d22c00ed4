"""Files over HTTP, against a real server on the loopback."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pierhead.engine.outcome import Denied, Invalid, Transient
from pierhead.stores.http import HTTPFiles

CONTENT = b"entries: {}\n"
PRIVATE = "169.254.169.254 credentials hunter2"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/index.yaml":
            if self.headers.get("If-None-Match") == '"one"':
                self._answer(304, b"")
            else:
                self._answer(200, CONTENT)
        else:
            self._answer(int(self.path.strip("/")), PRIVATE.encode())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"one"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


async def test_a_file_is_fetched(server):
    fetched = await HTTPFiles().fetch(f"{server}/index.yaml", limit=100)
    assert fetched.content == CONTENT
    assert fetched.entity_tag == '"one"'


async def test_a_file_that_did_not_change_is_not_fetched_again(server):
    assert await HTTPFiles().fetch(f"{server}/index.yaml", limit=100, entity_tag='"one"') is None


async def test_a_file_over_the_limit_is_refused(server):
    with pytest.raises(Invalid, match="over 5 bytes"):
        await HTTPFiles().fetch(f"{server}/index.yaml", limit=5)


@pytest.mark.parametrize(
    ("status", "error", "text"),
    [
        (404, Invalid, "does not exist"),
        (401, Denied, "not for us"),
        (403, Denied, "not for us"),
        (500, Transient, "status 500"),
        (503, Transient, "status 503"),
    ],
)
async def test_a_failure_has_a_meaning_and_repeats_nothing_of_the_answer(server, status, error, text):
    with pytest.raises(error, match=text) as raised:
        await HTTPFiles().fetch(f"{server}/{status}", limit=100)
    assert "hunter2" not in str(raised.value)


async def test_a_server_that_is_not_there_is_transient(unused_tcp_port):
    with pytest.raises(Transient, match="cannot be reached"):
        await HTTPFiles().fetch(f"http://127.0.0.1:{unused_tcp_port}/index.yaml", limit=100)


async def test_credentials_in_an_address_are_not_shown(unused_tcp_port):
    with pytest.raises(Transient) as raised:
        await HTTPFiles().fetch(f"http://user:hunter2@127.0.0.1:{unused_tcp_port}/x?token=hunter2", limit=100)
    assert "hunter2" not in str(raised.value)
