"""What an AppRelease's inputs are read from, as a test chooses."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pierhead.apps.aws import AwsScopes
from pierhead.apps.inputs.aws import AwsValues
from pierhead.apps.inputs.reader import InputReader, Inputs
from pierhead.apps.inputs.references import References
from pierhead.apps.model import AppReleaseSpec
from pierhead.apps.sources.artifact import Artifact
from pierhead.apps.sources.fetcher import Provided
from pierhead.aws.errors import AwsError, from_code
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.parameters import Parameter
from pierhead.aws.policy import Policy
from pierhead.aws.secretsmanager import SecretVersion
from pierhead.engine.outcome import Transient
from pierhead.engine.resource import ObjectKey
from pierhead.kube.errors import Forbidden, NotFound

KEY = ObjectKey("team-a", "shop")
REGION = "eu-west-1"
BASE: dict[str, Any] = {"source": {"inline": {"files": {"Chart.yaml": "x"}}}, "helm": {"values": {"a": 1}}}


@dataclass
class FakeSources:
    """Sources whose content a test chooses."""

    folder: Path
    digests: dict[str, str] = field(default_factory=dict)
    failure: Transient | None = None
    asked: list[Any] = field(default_factory=list)

    def _artifact(self, at: str) -> Provided:
        digest = self.digests.get(at, "sha256:1")
        return Provided(Artifact(revision=f"r-{digest}", digest=digest, path=self.folder), self.failure)

    def files(self, _files: Any, *, at: str) -> Provided:
        return self._artifact(at)

    def holds(self, _artifact: Artifact) -> bool:
        return True

    def config_map(self, _source: Any, _obj: Any, *, at: str) -> Provided:
        return self._artifact(at)

    def remote(self, _source: Any, credentials: Any, *, at: str, **_: Any) -> Provided:
        self.asked.append(credentials)
        return self._artifact(at)


@dataclass
class FakeClient:
    """The objects of the namespace, by kind and name."""

    objects: dict[tuple[str, str], Any] = field(default_factory=dict)
    identity: Any = None

    async def get(self, resource: Any, name: str, namespace: str) -> Any:
        assert namespace == KEY.namespace
        found = self.objects.get((resource.kind, name))
        if found is None:
            raise NotFound(f"{name} not found", code=404)
        if isinstance(found, Exception):
            raise found
        return {"metadata": {"name": name, "resourceVersion": "1"}, **found}

    def impersonating(self, _identity: Any) -> "FakeClient":
        return self

    async def pages(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        raise Forbidden("no watch in this test", code=403)
        yield


@dataclass
class FakeAws:
    """Parameters and secrets; an exception is what AWS answers with."""

    parameters: dict[str, str | AwsError] = field(default_factory=dict)
    secrets: dict[str, str | bytes | AwsError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def values(self) -> AwsValues:
        return AwsValues(_Parameters(self), _Secrets(self))  # type: ignore[arg-type]

    def find(self, held: dict[str, Any], name: str) -> Any:
        self.asked.append(name)
        found = held.get(name, from_code("ParameterNotFound", "no", operation="Get"))
        if isinstance(found, AwsError):
            raise found
        return found


@dataclass
class _Parameters:
    aws: FakeAws

    async def read(self, _identity: AwsIdentity, _region: str, name: str) -> Parameter:
        return Parameter(name, 1, self.aws.find(self.aws.parameters, name))

    async def close(self) -> None: ...


@dataclass
class _Secrets:
    aws: FakeAws

    async def read(self, _identity: AwsIdentity, _region: str, name: str) -> SecretVersion:
        found = self.aws.find(self.aws.secrets, name)
        text, binary = (found, None) if isinstance(found, str) else (None, found)
        return SecretVersion("arn", name, "v", text, binary)

    async def close(self) -> None: ...


class InputsOf:
    """Reads inputs, as one process does time and again."""

    def __init__(self, sources: FakeSources, client: FakeClient, aws: FakeAws) -> None:
        self.sources, self.client, self.aws = sources, client, aws
        self.references = References(client)  # type: ignore[arg-type]
        self.values = aws.values()
        self.generation = 1

    async def __call__(
        self,
        changes: dict[str, Any] | None = None,
        *,
        settled: bool = False,
        force: bool = False,
        **helm: Any,
    ) -> Inputs:
        """The inputs of the base spec with these changes; keywords are fields of `helm`."""
        spec = {**BASE, **(changes or {})}
        if helm:
            spec["helm"] = {**spec["helm"], **helm}
        reader = self.references.of(KEY, self.generation, self.client)  # type: ignore[arg-type]

        scopes = AwsScopes(None, Policy([], region=REGION), region=REGION)  # type: ignore[arg-type]
        inputs = InputReader(self.sources, reader, self.values, scopes, interval=60)  # type: ignore[arg-type]
        return await inputs.read(AppReleaseSpec.model_validate(spec), KEY, force=force, settled=settled)

    async def stop(self) -> None:
        await self.references.stop()
        await self.values.stop()
