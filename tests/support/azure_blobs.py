"""Azure Blob Storage of a test: one account on the loopback, as far as listing and reading go."""

from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from support.web_server import Asked, Reply, WebServer

_DATE = "Mon, 01 Jan 2024 00:00:00 GMT"


class AzureBlobs:
    """Containers by name; `key` is the account's, and None for a public one."""

    def __init__(self, account: str = "pierhead", *, key: str | None = None) -> None:
        self.account = account
        self.key = key
        self.blobs: dict[str, bytes] = {}
        """Contents by `container/path`."""
        self.server = WebServer(self._answer)
        self.status: int | None = None
        """What everything is answered with."""

    @property
    def endpoint(self) -> str:
        return f"{self.server.url}/{self.account}"

    def _answer(self, asked: Asked) -> Reply:
        query = parse_qs(asked.query)
        signed = asked.headers.get("authorization", "").startswith(f"SharedKey {self.account}:")
        if self.status is not None:
            return Reply(self.status)
        if self.key is not None and not signed and query.get("sig") != [self.key]:
            return Reply(403)
        path = unquote(asked.path).removeprefix(f"/{self.account}/")
        if query.get("comp") == ["list"]:
            return self._list(path, query.get("prefix", [""])[0])
        if path not in self.blobs:
            return Reply(404)
        return Reply(200, self.blobs[path], {"ETag": self._tag(path), "Last-Modified": _DATE})

    def _tag(self, path: str) -> str:
        return f'"{hash(self.blobs[path]) & 0xFFFFFFFF:x}"'

    def _list(self, container: str, prefix: str) -> Reply:
        entries = "".join(
            f"<Blob><Name>{escape(path.removeprefix(f'{container}/'))}</Name><Properties>"
            f"<Last-Modified>{_DATE}</Last-Modified><Etag>{escape(self._tag(path))}</Etag>"
            f"<Content-Length>{len(content)}</Content-Length><Content-Type>text/plain</Content-Type>"
            "<BlobType>BlockBlob</BlobType></Properties></Blob>"
            for path, content in sorted(self.blobs.items())
            if path.startswith(f"{container}/{prefix}")
        )
        text = f'<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>{entries}</Blobs>'
        return Reply(200, f"{text}<NextMarker/></EnumerationResults>".encode())
