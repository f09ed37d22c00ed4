"""Registries, repositories and buckets on the way a user takes: to a release, or to what stops it."""

import asyncio
import base64
import io
import socket
import tarfile
from functools import partial

import pytest

from pierhead.kube.resources import CONFIG_MAPS, SECRETS, SERVICE_ACCOUNTS
from pierhead.stores.web import Web
from support.app_sources import ChartRepository, chart_files, packaged
from support.oci_registry import FILES, OCIRegistry, SigningKey, digest_of
from support.releases import because, condition
from support.web_server import Reply, WebServer, authority

ONE = packaged(chart_files(values={"greeting": "one"}))
TWO = packaged(chart_files(version="1.1.0", values={"greeting": "two"}))
LOGIN = {"username": "robot", "password": "hunter2"}


@pytest.fixture
def registry():
    made = OCIRegistry(login=("robot", "hunter2"))
    with made.server.running():
        yield made


@pytest.fixture
async def charts():
    async with ChartRepository.started() as started:
        yield started


def oci(registry: OCIRegistry, **given: object) -> dict:
    url = f"oci://{registry.server.host}/charts/shop"
    return {
        "source": {"oci": {"url": url, "insecure": True, "secret": {"name": "login"}, **given}},
        "helm": {},
    }


async def greeting(releases, wanted: str) -> None:
    await releases.object(CONFIG_MAPS, "settings", lambda obj: obj["data"]["greeting"] == wanted)


async def make(releases, resource, name, **content) -> None:
    metadata = {"name": name, "namespace": releases.namespace, **content.pop("metadata", {})}
    obj = {"apiVersion": "v1", "kind": resource.kind, "metadata": metadata, **content}
    await releases.kube.apply(resource, obj, field_manager="test")


async def test_a_chart_of_a_registry_is_released_and_its_tag_followed(controller, releases, registry):
    first = registry.put(ONE, "main")
    await make(releases, SECRETS, "login", stringData=LOGIN)
    await releases.apply(oci(registry, tag="main"))
    deployed = await releases.until()
    assert deployed["status"]["source"] == {"revision": f"main@{first}", "digest": digest_of(ONE)}
    await greeting(releases, "one")
    registry.put(TWO, "main")
    await greeting(releases, "two")
    assert [stored.chart["version"] for stored in await releases.history()] == ["1.0.0", "1.1.0"]
    assert "hunter2" not in str(await releases.get())


async def test_one_fetch_serves_all_who_name_the_same(controller, releases, registry):
    registry.put(ONE, "1.0.0")
    await make(releases, SECRETS, "login", stringData=LOGIN)
    for number in range(5):
        spec = oci(registry, tag="1.0.0")
        spec["helm"] = {"values": {"name": f"settings-{number}"}}
        await releases.apply({**spec, "interval": "1h"}, name=f"shop-{number}")
    for number in range(5):
        await releases.until(name=f"shop-{number}")
    assert len([path for path in registry.server.paths if "/blobs/" in path]) == 1


async def test_a_password_that_is_corrected_is_used_at_once(controller, releases, registry):
    registry.put(ONE, "1.0.0")
    await make(releases, SECRETS, "login", stringData={**LOGIN, "password": "wrong"})
    await releases.apply({**oci(registry, tag="1.0.0"), "interval": "1h"})
    stopped = await releases.until(because("SourceDenied"))
    assert condition(stopped)["message"].startswith("spec.source.oci.secret: http://")
    assert condition(stopped, "Stalled")["status"] == "True"
    await make(releases, SECRETS, "login", stringData=LOGIN)
    await releases.until()


async def test_files_of_a_registry_are_an_overlay(controller, releases, registry):
    files = {"kustomization.yaml": "namePrefix: prod-\n"}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    registry.put(ONE, "chart")
    registry.put(buffer.getvalue(), "overlay", kind=FILES)
    await make(releases, SECRETS, "login", stringData=LOGIN)
    overlay = oci(registry, tag="overlay")["source"]
    await releases.apply({**oci(registry, tag="chart"), "kustomize": {"source": overlay, "path": "."}})
    await releases.until()
    await releases.object(CONFIG_MAPS, "prod-settings")


async def test_only_what_is_signed_is_released(controller, releases, registry):
    key = SigningKey()
    digest = registry.put(ONE, "1.0.0")
    await make(releases, SECRETS, "login", stringData=LOGIN)
    await make(releases, CONFIG_MAPS, "keys", data={"cosign.pub": SigningKey().public})
    verify = {"cosignKeys": [{"configMap": {"name": "keys"}}]}
    await releases.apply(oci(registry, tag="1.0.0", verify=verify))
    stopped = await releases.until(because("SignatureInvalid"))
    assert condition(stopped)["message"].startswith("spec.source.oci.verify: ")
    registry.sign(digest, key)
    await make(releases, CONFIG_MAPS, "keys", data={"cosign.pub": key.public})
    await releases.until()


def traversal() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../../etc/passwd"))
    return buffer.getvalue()


def bomb() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("shop/zeros")
        entry.size = 48 * 1024 * 1024
        archive.addfile(entry, io.BytesIO(bytes(entry.size)))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "reason", "message"),
    [
        (ONE[: len(ONE) // 2], "InvalidArchive", "is no complete tar+gzip archive"),
        (bomb(), "ArchiveBomb", "grows out of proportion"),
        (traversal(), "ArchiveTraversal", "the path '../../etc/passwd' leads out of its source"),
    ],
    ids=["truncated", "bomb", "traversal"],
)
async def test_a_bad_archive_is_told_and_nothing_is_released(
    controller, releases, registry, charts, content, reason, message
):
    registry.put(content, "1.0.0")
    charts.put("shop", "1.0.0", content)
    await make(releases, SECRETS, "login", stringData=LOGIN)
    await releases.apply(oci(registry, tag="1.0.0"))
    await releases.apply({"source": charts.source(), "helm": {}}, name="other")
    for name, field in (("shop", "oci"), ("other", "helmRepository")):
        stopped = await releases.until(because(reason), name)
        assert message in condition(stopped)["message"]
        assert condition(stopped)["message"].startswith(f"spec.source.{field}: ")
        assert await releases.history(name) == []


async def test_what_a_registry_does_not_have_or_changed_is_told(controller, releases, registry):
    pinned = registry.put(ONE, "1.0.0")
    await make(releases, SECRETS, "login", stringData=LOGIN)
    await releases.apply(oci(registry, tag="absent"))
    stopped = await releases.until(because("SourceNotFound"))
    assert "/manifests/absent does not exist (404)" in condition(stopped)["message"]
    await releases.apply(oci(registry, tag="1.0.0", digest=pinned))
    await releases.until()
    registry.put(TWO, "1.0.0")
    moved = await releases.until(because("TagMoved", "SourceReady"))
    assert condition(moved, "SourceReady")["message"].startswith(
        "spec.source.oci.digest: the tag 1.0.0 has moved"
    )
    assert condition(moved)["status"] == "True"
    await greeting(releases, "one")
    registry.blobs[digest_of(TWO)] = ONE
    await releases.apply(oci(registry, semver="1.x"))
    stopped = await releases.until(because("DigestMismatch"))
    assert condition(stopped)["message"].startswith("spec.source.oci.url: the registry gave sha256:")


async def test_a_server_that_is_not_trusted_or_not_known_or_not_allowed_is_told(
    controller, releases, tmp_path
):
    tls, certificate = authority(tmp_path)
    index = b"apiVersion: v1\nentries: {shop: [{version: 1.0.0, urls: [shop.tgz]}]}\n"

    def repository(url: str, **given: object) -> dict:
        source = {"url": url, "chart": "shop", "version": "1.0.0", **given}
        return {"source": {"helmRepository": source}, "helm": {}}

    server = WebServer(lambda asked: Reply(200, index if asked.path.endswith("index.yaml") else ONE), tls)
    with server.running():
        await releases.apply(repository(server.url))
        stopped = await releases.until(because("SourceUntrusted"))
        assert "ca.crt" in condition(stopped)["message"]
        await make(releases, SECRETS, "authority", stringData={"ca.crt": certificate})
        await releases.apply(repository(server.url, secret={"name": "authority"}))
        await releases.until()
    await releases.apply(repository("https://nowhere.invalid/charts"))
    stopped = await releases.until(because("SourceUnreachable"))
    assert "https://nowhere.invalid/charts/index.yaml has a host name that does not resolve" in str(stopped)
    await releases.apply(repository("http://169.254.169.254/latest"))
    stopped = await releases.until(because("SourceAddressRefused"))
    assert "refused_source_networks" in condition(stopped)["message"]


@pytest.fixture
def impatient(monkeypatch):
    """Before the controller starts."""
    monkeypatch.setattr("pierhead.apps.assembly.Web", partial(Web, total_seconds=0.5))


async def test_a_server_that_never_answers_is_told(impatient, controller, releases):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        source = {"url": url, "chart": "shop", "version": "1.0.0"}
        await releases.apply({"source": {"helmRepository": source}, "helm": {}})
        stopped = await releases.until(because("SourceUnreachable"))
    expected = f"spec.source.helmRepository: {url}/index.yaml did not answer completely within 0.5s"
    assert condition(stopped)["message"] == expected
    assert condition(stopped, "Reconciling")["status"] == "True"


async def test_a_range_of_a_repository_that_asks_who_comes_is_followed(controller, releases, charts):
    charts.login = f"Basic {base64.b64encode(b'robot:hunter2').decode()}"
    charts.put("shop", "1.0.0", ONE)
    await make(releases, SECRETS, "login", stringData=LOGIN)
    source = {"url": charts.url, "chart": "shop", "semver": ">=1 <2", "secret": {"name": "login"}}
    await releases.apply({"source": {"helmRepository": source}, "helm": {}})
    assert (await releases.until())["status"]["source"]["revision"] == "shop-1.0.0"
    charts.put("shop", "2.0.0", ONE)
    charts.put("shop", "1.1.0", TWO)
    await greeting(releases, "two")


async def test_a_bucket_is_read_as_the_service_account_that_the_apprelease_names(
    aws, aws_client, controller, releases, sandbox
):
    bucket = f"{releases.namespace}-apps"
    client = aws_client("s3")
    await asyncio.to_thread(client.create_bucket, Bucket=bucket)
    for name, text in chart_files().items():
        await asyncio.to_thread(client.put_object, Bucket=bucket, Key=f"shop/{name}", Body=text.encode())
    source = {"bucket": {"name": bucket, "prefix": "shop"}}
    spec = {"source": source, "helm": {}, "aws": {"serviceAccountName": "reader"}}
    await releases.apply(spec)
    missing = await releases.until(because("ReferenceNotFound"))
    assert (
        condition(missing)["message"] == "spec.aws.serviceAccountName: ServiceAccount reader does not exist"
    )
    role = {"eks.amazonaws.com/role-arn": f"arn:aws:iam::123456789012:role/{releases.namespace}-reader"}
    await make(releases, SERVICE_ACCOUNTS, "reader", metadata={"annotations": role})
    await releases.until()
    await greeting(releases, "hello")
    assert aws.count("sts", "AssumeRoleWithWebIdentity") == 1
    own = {
        call.access_key
        for call in aws.call_log()
        if call.service == "s3" and call.operation == "CreateBucket"
    }
    listed = {call.access_key for call in aws.call_log() if call.operation.startswith("ListObjects")}
    assert listed
    assert not listed & own
    await releases.apply({**spec, "source": {"bucket": {"name": "somebody-elses"}}})
    refused = await releases.until(because("PolicyDenied"))
    assert condition(refused)["message"].startswith("spec.source.bucket.name: namespace ")
