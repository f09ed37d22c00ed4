"""Git over https and ssh: who is trusted, and who is given credentials."""

import json
import os
import shutil
import stat
import sys

import pytest

from pierhead.apps.model.sources import GitReference, GitSource
from pierhead.apps.sources.access import Access
from pierhead.apps.sources.artifact import ArtifactStore
from pierhead.apps.sources.git import GitFetcher
from pierhead.engine.outcome import Denied, Invalid
from pierhead.stores.networks import Networks
from support.app_sources import GitRepository
from support.git_server import GitServer
from support.web_server import authority, proving

LOGIN = {"username": "robot", "password": "hunter2"}


@pytest.fixture
def repository(tmp_path) -> GitRepository:
    made = GitRepository(tmp_path / "served" / "shop")
    made.commit({"app.yaml": "a: 1"})
    return made


@pytest.fixture
def fetcher(tmp_path):
    return GitFetcher(ArtifactStore(tmp_path / "store", limit_bytes=1 << 20), Networks(), allow_file=False)


@pytest.fixture
def secure(tmp_path, repository):
    tls, certificate = authority(tmp_path)
    server = GitServer(repository.directory.parent, tls=tls, login=("robot", "hunter2"))
    server.certificate = certificate
    with server.running():
        yield server


def source(url: str, **ref: str) -> GitSource:
    return GitSource(url=url, ref=GitReference(**ref) if ref else None)


async def test_a_private_repository_behind_a_private_authority_is_fetched(fetcher, secure):
    access = Access("login", {**LOGIN, "ca.crt": secure.certificate})
    artifact = await fetcher.fetch(source(f"{secure.url}/shop/.git", branch="main"), access, None)
    assert (artifact.path / "app.yaml").read_text() == "a: 1"


async def test_a_client_certificate_opens_a_repository(fetcher, repository, tmp_path):
    tls, secret = proving(tmp_path)
    server = GitServer(repository.directory.parent, tls=tls)
    with server.running():
        artifact = await fetcher.fetch(source(f"{server.url}/shop/.git"), Access("login", secret), None)
        assert (artifact.path / "app.yaml").read_text() == "a: 1"
        halved = {key: text for key, text in secret.items() if key != "tls.key"}
        with pytest.raises(Invalid, match=r"no key 'tls\.key'") as raised:
            await fetcher.fetch(source(f"{server.url}/shop/.git"), Access("login", halved), None)
    assert raised.value.field == "secret"


async def test_what_is_not_trusted_or_refused_is_told(fetcher, secure):
    wanted = source(f"{secure.url}/shop/.git")
    with pytest.raises(Invalid, match=r"ca\.crt") as raised:
        await fetcher.fetch(wanted, Access("login", LOGIN), None)
    assert raised.value.reason == "SourceUntrusted"
    for secret in ({}, {**LOGIN, "password": "wrong"}):
        access = Access("login", {**secret, "ca.crt": secure.certificate})
        with pytest.raises(Denied) as raised:
            await fetcher.fetch(wanted, access, None)
        assert (raised.value.reason, raised.value.field) == ("SourceDenied", "secret")
    access = Access("login", {**LOGIN, "ca.crt": secure.certificate})
    with pytest.raises(Invalid) as raised:
        await fetcher.fetch(source(f"{secure.url}/gone"), access, None)
    assert raised.value.reason == "SourceNotFound"


async def test_credentials_do_not_follow_a_redirect_to_another_host(fetcher, secure, tmp_path, repository):
    """git asks its helper again for the host it was sent to: the helper must not answer."""
    tls, certificate = authority(tmp_path)
    thief = GitServer(repository.directory.parent, tls=tls, login=("robot", "hunter2"))
    with thief.running():
        secure.redirect = thief.url
        access = Access("login", {**LOGIN, "ca.crt": secure.certificate + certificate})
        with pytest.raises(Denied):
            await fetcher.fetch(source(f"{secure.url}/shop/.git"), access, None)
        assert thief.asked
        assert {given for _, given in thief.asked} == {None}


# ssh

SSH = """\
#!{python}
import json, os, pathlib, subprocess, sys
arguments = sys.argv[1:]
config = arguments[arguments.index("-F") + 1]
host = arguments[-2]
understood = subprocess.run([{ssh!r}, "-G", *arguments[:-1]], capture_output=True, text=True)
options = dict(line.split(" ", 1) for line in understood.stdout.splitlines() if " " in line)
names = ("identityfile", "userknownhostsfile")
files = {{name: pathlib.Path(options[name]).stat().st_mode & 0o777 for name in names}}
report = {{"arguments": arguments, "options": options, "files": files, "said": understood.stderr,
          "identity": pathlib.Path(options["identityfile"]).read_text()}}
pathlib.Path({report!r}).write_text(json.dumps(report))
os.execvp("sh", ["sh", "-c", arguments[-1].replace("'/", "'" + {folder!r} + "/")])
"""


async def test_ssh_knows_the_host_or_does_not_connect(fetcher, repository, tmp_path, monkeypatch):
    """What runs as ssh asks the real one how it understands what it was told."""
    report = tmp_path / "report.json"
    programs = tmp_path / "bin"
    programs.mkdir()
    script = SSH.format(
        python=sys.executable,
        ssh=shutil.which("ssh"),
        report=str(report),
        folder=str(repository.directory.parent),
    )
    (programs / "ssh").write_text(script)
    (programs / "ssh").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    access = Access("key", {"identity": "a private key", "known_hosts": "[localhost]:2222 ssh-ed25519 AAAA"})
    artifact = await fetcher.fetch(source("ssh://git@localhost:2222/shop", branch="main"), access, None)
    assert (artifact.path / "app.yaml").read_text() == "a: 1"
    told = json.loads(report.read_text())
    options = told["options"]
    assert "line" not in told["said"], "what ssh cannot read in its configuration, it names by its line"
    assert options["stricthostkeychecking"] == "true"
    assert options["hostkeyalias"] == "[localhost]:2222"
    assert options["hostname"] in {"127.0.0.1", "::1"}
    assert (options["port"], options["user"], options["batchmode"]) == ("2222", "git", "yes")
    assert (options["globalknownhostsfile"], options["identitiesonly"]) == ("/dev/null", "yes")
    assert told["files"] == {"identityfile": 0o600, "userknownhostsfile": 0o600}
    assert told["identity"] == "a private key\n"
    assert "a private key" not in str(told["arguments"])
    assert not os.path.exists(options["identityfile"])  # noqa: ASYNC240, PTH110 (a path on a local disk)


@pytest.mark.parametrize(
    ("access", "key"),
    [
        (Access(), "secret with the keys identity and known_hosts"),
        (Access("key", {"identity": "x"}), "no key 'known_hosts'"),
        (Access("key", {"known_hosts": "x"}), "no key 'identity'"),
    ],
)
async def test_ssh_without_a_key_or_known_hosts_is_told(fetcher, access, key):
    with pytest.raises(Invalid, match=key) as raised:
        await fetcher.fetch(source("ssh://git@localhost/shop"), access, None)
    assert raised.value.field == "secret"
