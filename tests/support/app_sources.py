"""Sources of AppReleases made by a test: Git repositories on disk, and Helm repositories on loopback."""

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web

from support.renders import write_tree

TEMPLATE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Values.name | default "settings" }}
data:
  greeting: {{ .Values.greeting | quote }}
  release: {{ .Release.Name }}-{{ .Release.Revision }}
"""


def chart_files(
    name: str = "shop", version: str = "1.0.0", *, values: Mapping[str, Any] | None = None, **templates: str
) -> dict[str, str]:
    """A chart that renders a ConfigMap `settings`; `templates` are more files of `templates/`, by name."""
    files = {
        "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\nappVersion: '7'\n",
        "values.yaml": yaml.safe_dump(dict(values or {"greeting": "hello"})),
        "templates/settings.yaml": TEMPLATE,
        "templates/NOTES.txt": "Greet with {{ .Values.greeting }}.\n",
    }
    return files | {f"templates/{name}.yaml": text for name, text in templates.items()}


def packaged(files: Mapping[str, str], name: str = "shop") -> bytes:
    """The chart as `helm package` would put it up."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, text in files.items():
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


class GitRepository:
    """A repository on disk, with one branch."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        self._git("init", "--quiet")

    @property
    def url(self) -> str:
        return f"file://{self.directory}"

    def commit(self, files: Mapping[str, str]) -> str:
        """The commit that adds or changes these files."""
        write_tree(self.directory, files)
        self._git("add", "--all")
        self._git("commit", "--quiet", "--message", "a change")
        return self._git("rev-parse", "HEAD")

    def move_away(self) -> None:
        """Nobody finds it at its address any more."""
        self.directory.rename(self.directory.with_suffix(".away"))

    def come_back(self) -> None:
        self.directory.with_suffix(".away").rename(self.directory)

    def source(self, **ref: str) -> dict[str, Any]:
        """The source field of an AppRelease."""
        return {"git": {"url": self.url, **({"ref": ref} if ref else {})}}

    def _git(self, *arguments: str) -> str:
        identity = ("user.name=test", "user.email=test@example.com", "init.defaultBranch=main")
        settings = [part for setting in identity for part in ("-c", setting)]
        return subprocess.run(
            ["git", *settings, *arguments], cwd=self.directory, check=True, capture_output=True, text=True
        ).stdout.strip()


class ChartRepository:
    """A classic Helm repository; `requests` is what was asked for."""

    def __init__(self) -> None:
        self.url = ""
        self.files: dict[str, bytes] = {}
        self.entries: dict[str, list[dict[str, Any]]] = {}
        self.requests: list[str] = []
        self.status = 200
        """What every request is answered with."""
        self.login: str | None = None
        """The Authorization header that is asked for."""

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator["ChartRepository"]:
        """A running one."""
        repository = cls()
        runner = web.ServerRunner(web.Server(repository._answer, access_log=None))
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            repository.url = f"http://127.0.0.1:{runner.addresses[0][1]}/charts"
            yield repository
        finally:
            await runner.cleanup()

    def put(self, name: str, version: str, chart: bytes, **entry: Any) -> None:
        """Publishes a chart; `entry` replaces fields of its entry in the index."""
        path = f"{name}-{version}.tgz"
        self.files[path] = chart
        made = {
            "apiVersion": "v2",
            "name": name,
            "version": version,
            "urls": [path],
            "digest": hashlib.sha256(chart).hexdigest(),
        }
        self.entries.setdefault(name, []).insert(0, {**made, **entry})

    def source(self, version: str = "1.0.0", chart: str = "shop") -> dict[str, Any]:
        """The source field of an AppRelease."""
        return {"helmRepository": {"url": self.url, "chart": chart, "version": version}}

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        name = request.path.removeprefix("/charts/")
        self.requests.append(name)
        if self.status != 200:
            return web.Response(status=self.status)
        if self.login is not None and request.headers.get("Authorization") != self.login:
            return web.Response(status=401)
        if name == "index.yaml":
            index = {"apiVersion": "v1", "entries": self.entries}
            # JSON is YAML, and says what it says.
            return web.Response(body=self.files.get(name, json.dumps(index).encode()))
        if name not in self.files:
            return web.Response(status=404)
        return web.Response(body=self.files[name])
