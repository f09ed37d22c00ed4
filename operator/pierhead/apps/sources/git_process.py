"""git as a process.

Invariant: a repository is hostile. Git runs without the machine's configuration, hooks, credential helpers
or prompts, speaks only the protocols it is given, writes no file over a bound, checks symbolic links out as
text, connects to the addresses that were judged, and gives credentials to their own host alone. A host key
that is not in the Secret's `known_hosts` ends the connection. No secret is in an argument; what has to be in
a file is in a folder that only the operator may read, and goes with it.
"""

import asyncio
import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pierhead.apps.sources.access import Access
from pierhead.engine.outcome import Denied, Invalid, ReconcileError, Transient
from pierhead.stores.networks import Networks
from pierhead.stores.web import shown

IDENTITY, KNOWN_HOSTS = "identity", "known_hosts"
"""Keys of the Secret for ssh, as Flux calls them."""

_BLOCK = 512
_PORTS = {"https": 443, "ssh": 22}
_FAILURES: tuple[tuple[re.Pattern[str], type[ReconcileError], str, str | None, str], ...] = (
    (
        re.compile(r"Host key verification failed"),
        Denied,
        "SourceUntrusted",
        "secret",
        f"has a host key that is not in {KNOWN_HOSTS} of the secret",
    ),
    (
        re.compile(r"SSL certificate problem|certificate verification failed|unable to get local issuer"),
        Invalid,
        "SourceUntrusted",
        None,
        "has a certificate that is not trusted: a private authority belongs into ca.crt of the secret",
    ),
    (
        re.compile(r"signal 25\b|File size limit"),
        Invalid,
        "SourceTooLarge",
        None,
        "has more than {limit} bytes",
    ),
    (
        re.compile(r"invalid format|error in libcrypto"),
        Invalid,
        "InvalidValues",
        "secret",
        f"cannot be asked: {IDENTITY} of the secret is no private key that ssh can read",
    ),
    (
        re.compile(
            r"Authentication failed|could not read (Username|Password)|returned error: 40[13]\b"
            r"|Permission denied \("
        ),
        Denied,
        "SourceDenied",
        "secret",
        "refused our credentials",
    ),
    (
        re.compile(
            r"couldn't find remote ref|not our ref|does not appear to be a git repository|' not found"
            r"|returned error: 404\b|unadvertised object"
        ),
        Invalid,
        "SourceNotFound",
        None,
        "or its reference does not exist",
    ),
)
"""What git and ssh say, and what it means; the first that is found counts."""

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
    "submodule.recurse": "false",
}
_SSH = """\
Host {host}
  HostName {address}
  HostKeyAlias {alias}
Host *
  IdentityFile {identity}
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile {known_hosts}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  UpdateHostKeys no
  BatchMode yes
  PreferredAuthentications publickey
  ForwardAgent no
  ConnectTimeout 10
"""


class GitProcess:
    """Runs git about one repository, as one access."""

    def __init__(
        self, url: str, access: Access, *, folder: Path, protocols: str, limit_bytes: int, seconds: float
    ) -> None:
        """`folder` is the process's own; `protocols` are separated by colons; a command has `seconds`."""
        self._url = url
        self._access = access
        self._folder = folder
        self._protocols = protocols
        self._limit = limit_bytes
        self._seconds = seconds
        self._environment: dict[str, str] = {}

    async def prepare(self, networks: Networks) -> None:
        """Looks the host up and writes what git needs. Raises Invalid for a Secret that lacks something."""
        parts = urlsplit(self._url)
        places: list[str] = []
        port = _PORTS.get(parts.scheme, 0)
        if port:
            port = parts.port or port
            try:
                found = await asyncio.to_thread(networks.places, parts.hostname or "", port)
            except ReconcileError as error:
                error.message = f"{shown(self._url)} {error.message}"
                raise
            places = list(dict.fromkeys(address for _, address, _ in found))
        settings = dict(_SETTINGS)
        environment: dict[str, str] = {}
        if parts.scheme == "https":
            settings["http.curloptResolve"] = f"{parts.hostname}:{port}:{','.join(map(_bracketed, places))}"
            environment |= await asyncio.to_thread(self._https, settings)
        elif parts.scheme == "ssh":
            environment |= await asyncio.to_thread(self._ssh, parts.hostname or "", port, places[0])
        self._environment = self._common(settings) | environment

    async def run(self, *arguments: str, cwd: Path | None = None) -> str:
        """What git prints. Raises Invalid, Denied or Transient, in our words and not in the server's."""
        process = await asyncio.create_subprocess_exec(
            "sh",
            "-c",
            'ulimit -f "$0" && exec git "$@"',
            str(self._limit // _BLOCK),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._environment,
            cwd=cwd,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._seconds):
                output, errors = await process.communicate()
        except TimeoutError:
            raise Transient(
                f"{shown(self._url)} did not answer within {self._seconds:g}s", reason="SourceUnreachable"
            ) from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode != 0:
            raise failure(self._url, errors.decode(errors="replace"), limit=self._limit)
        return output.decode(errors="replace")

    def _common(self, settings: Mapping[str, str]) -> dict[str, str]:
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": "/nonexistent",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ALLOW_PROTOCOL": self._protocols,
            "GIT_SSH_COMMAND": "false",
            "LC_ALL": "C",
            "GIT_CONFIG_COUNT": str(len(settings)),
        }
        for index, (key, value) in enumerate(settings.items()):
            environment[f"GIT_CONFIG_KEY_{index}"] = key
            environment[f"GIT_CONFIG_VALUE_{index}"] = value
        return environment

    def _https(self, settings: dict[str, str]) -> dict[str, str]:
        access, parts = self._access, urlsplit(self._url)
        if access.trust is not None:
            settings["http.sslCAInfo"] = str(self._write("ca.crt", _system_authorities() + access.trust))
        certificate = access.certificate
        if certificate is not None:
            settings["http.sslCert"] = str(self._write("tls.crt", certificate[0]))
            settings["http.sslKey"] = str(self._write("tls.key", certificate[1]))
        login = access.login()
        if login is None:
            if access.secret_name and access.trust is None and certificate is None:
                access.needed("username")
            return {}
        # A helper that echoes two variables: the password is in no argument and no file.
        host = parts.netloc.rpartition("@")[2]
        settings[f"credential.https://{host}.helper"] = (
            '!f() { echo "username=$PIERHEAD_GIT_USERNAME"; echo "password=$PIERHEAD_GIT_PASSWORD"; }; f'
        )
        return {"PIERHEAD_GIT_USERNAME": login[0], "PIERHEAD_GIT_PASSWORD": login[1]}

    def _ssh(self, host: str, port: int, address: str) -> dict[str, str]:
        if not self._access.secret_name:
            raise Invalid(
                f"ssh needs a secret with the keys {IDENTITY} and {KNOWN_HOSTS}",
                reason="KeyNotFound",
                field="secret",
            )
        identity = self._access.needed(IDENTITY)
        config = _SSH.format(
            host=host,
            address=address,
            alias=host if port == _PORTS["ssh"] else f"[{host}]:{port}",
            # OpenSSH refuses a key without its last line's end.
            identity=self._write(IDENTITY, identity.rstrip("\n") + "\n"),
            known_hosts=self._write(KNOWN_HOSTS, self._access.needed(KNOWN_HOSTS)),
        )
        return {
            "GIT_SSH_COMMAND": f"ssh -F {self._write('ssh_config', config)}",
            "GIT_SSH_VARIANT": "ssh",
        }

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        return path


def failure(url: str, text: str, *, limit: int = 0) -> ReconcileError:
    """The error for what git said about a repository; nothing of it is repeated."""
    url = shown(url)
    for pattern, kind, reason, field, message in _FAILURES:
        if pattern.search(text):
            return kind(f"{url} {message.format(limit=limit)}", reason=reason, field=field)
    return Transient(f"{url} cannot be fetched", reason="SourceUnreachable")


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _system_authorities() -> str:
    where = ssl.get_default_verify_paths().cafile
    return Path(where).read_text() + "\n" if where and Path(where).exists() else ""
