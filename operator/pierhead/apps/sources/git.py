"""Git repositories over https, through git itself.

Invariant: a repository is hostile. Git runs without the machine's configuration, hooks, credential
helpers or prompts, speaks only https (and file where the settings allow it), follows no redirect beyond
the first request, and checks symbolic links out as text, so no file of an artifact leads out of it. Nobody
is given a commit, known as it may be here, that their own address and credentials did not yield.
"""

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pierhead.apps.model.sources import GitReference
from pierhead.apps.sources.artifact import Artifact, ArtifactStore
from pierhead.engine.outcome import Denied, Invalid, ReconcileError, Transient

_DENIED = re.compile(r"Authentication failed|could not read (Username|Password)|returned error: 40[13]\b")
_MISSING = re.compile(
    r"couldn't find remote ref|not our ref|does not appear to be a git repository|' not found"
    r"|returned error: 404\b"
)
_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.symlinks": "false",
    "core.fsmonitor": "false",
    "credential.helper": "",
    "fetch.fsckObjects": "true",
    "http.followRedirects": "initial",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "20",
    "gc.auto": "0",
    "safe.directory": "*",
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """HTTP basic authentication."""

    username: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(…)"


class GitFetcher:
    """Fetches single commits, shallow."""

    def __init__(self, store: ArtifactStore, *, allow_file: bool, timeout_seconds: float = 60) -> None:
        self._store = store
        self._protocols = "https:file" if allow_file else "https"
        self._timeout = timeout_seconds
        self._given: dict[str, str] = {}

    async def fetch(self, url: str, ref: GitReference | None, credentials: Credentials | None) -> Artifact:
        """The files of the commit that `ref` names now.

        Raises Invalid when the repository or reference does not exist, Denied when it is not for us,
        Transient when it cannot be reached in time; fields are relative to the source.
        """
        if url.startswith("file:") and "file" not in self._protocols:
            raise Denied(
                "file:// sources are off in this operator (setting allow_file_sources)",
                reason="SourceDenied",
                field="url",
            )
        environment = self._environment(credentials)
        name = _name(ref)
        listed = await self._git(
            "ls-remote", "--quiet", "--", url, *_patterns(ref), environment=environment, url=url
        )
        commit = ref.commit if ref is not None and ref.commit else _commit(listed, ref, url)
        digest = f"sha1:{commit}"
        who = _fingerprint(url, ref, credentials)
        found = self._store.find(digest) if self._given.get(who) == commit else None
        if found is None:
            found = await self._checkout(url, commit, digest, environment)
            self._given[who] = commit
        return Artifact(revision=f"{name}@{commit}", digest=digest, path=found)

    async def _checkout(self, url: str, commit: str, digest: str, environment: Mapping[str, str]) -> Path:
        scratch = Path(tempfile.mkdtemp(prefix="pierhead-git-"))
        try:
            repository, tree = scratch / "repository", scratch / "tree"
            tree.mkdir()
            await self._git("init", "--quiet", "--bare", str(repository), environment=environment, url=url)
            at = ("--git-dir", str(repository))
            await self._git(
                *at,
                "fetch",
                "--quiet",
                "--no-tags",
                "--depth=1",
                "--",
                url,
                commit,
                environment=environment,
                url=url,
            )
            await self._git(
                *at,
                "--work-tree",
                str(tree),
                "checkout",
                "--quiet",
                "--force",
                commit,
                environment=environment,
                url=url,
            )

            def write(target: Path) -> None:
                shutil.copytree(tree, target, symlinks=True, dirs_exist_ok=True)

            return await asyncio.to_thread(self._store.put, digest, write)
        finally:
            await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)

    async def _git(self, *arguments: str, environment: Mapping[str, str], url: str) -> str:
        process = await asyncio.create_subprocess_exec(
            "git",
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(environment),
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._timeout):
                output, errors = await process.communicate()
        except TimeoutError:
            raise Transient(
                f"{url} did not answer within {self._timeout:g}s", reason="SourceUnreachable"
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise _error(url, errors.decode(errors="replace"))
        return output.decode(errors="replace")

    def _environment(self, credentials: Credentials | None) -> dict[str, str]:
        settings = dict(_SETTINGS)
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": self._protocols,
            "LC_ALL": "C",
        }
        if credentials is not None:
            # A helper that echoes two variables: the password is in no argument and no file.
            settings["credential.helper"] = (
                '!f() { echo "username=$PIERHEAD_GIT_USERNAME"; echo "password=$PIERHEAD_GIT_PASSWORD"; }; f'
            )
            environment["PIERHEAD_GIT_USERNAME"] = credentials.username
            environment["PIERHEAD_GIT_PASSWORD"] = credentials.password
        environment["GIT_CONFIG_COUNT"] = str(len(settings))
        for index, (key, value) in enumerate(settings.items()):
            environment[f"GIT_CONFIG_KEY_{index}"] = key
            environment[f"GIT_CONFIG_VALUE_{index}"] = value
        return environment


def _fingerprint(url: str, ref: GitReference | None, credentials: Credentials | None) -> str:
    """Who asks for what, without the password."""
    who = f"{credentials.username}\0{credentials.password}" if credentials is not None else ""
    what = ref.model_dump_json() if ref is not None else ""
    return hashlib.sha256(f"{url}\0{what}\0{who}".encode()).hexdigest()


def _patterns(ref: GitReference | None) -> tuple[str, ...]:
    if ref is not None and ref.branch:
        return (f"refs/heads/{ref.branch}",)
    if ref is not None and ref.tag:
        return (f"refs/tags/{ref.tag}", f"refs/tags/{ref.tag}^{{}}")
    return ("HEAD",)


def _name(ref: GitReference | None) -> str:
    if ref is None:
        return "HEAD"
    return ref.branch or ref.tag or "commit"


def _commit(listed: str, ref: GitReference | None, url: str) -> str:
    lines = [line.split("\t", 1) for line in listed.splitlines() if "\t" in line]
    if not lines:
        raise Invalid(f"{url} has no {_name(ref)!r}", reason="ReferenceNotFound", field="ref")
    # An annotated tag is listed twice; the peeled line is the commit.
    return next((sha for sha, name in lines if name.endswith("^{}")), lines[0][0])


def _error(url: str, text: str) -> ReconcileError:
    if _DENIED.search(text):
        return Denied(f"{url} refused our credentials", reason="SourceDenied", field="secret")
    if _MISSING.search(text):
        return Invalid(f"{url} or its reference does not exist", reason="SourceNotFound")
    return Transient(f"{url} cannot be fetched", reason="SourceUnreachable")
