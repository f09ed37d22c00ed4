"""Artifacts of OCI registries, against a registry with a real token flow."""

import base64
import json

import pytest

from pierhead.apps.model.sources import OCISource
from pierhead.apps.sources.access import Access
from pierhead.apps.sources.artifact import ArtifactStore
from pierhead.apps.sources.oci import OCIFetcher, credentials
from pierhead.aws.registry import EcrLogins
from pierhead.engine.outcome import Denied, Invalid
from pierhead.stores.networks import Networks
from pierhead.stores.web import Web
from support.app_sources import chart_files, packaged
from support.oci_registry import CHART, FILES, OCIRegistry, SigningKey, digest_of
from support.web_server import Reply, WebServer

ONE = packaged(chart_files())
TWO = packaged(chart_files(version="1.1.0"))
NOBODY = Access()
LOGIN = Access("login", {"username": "robot", "password": "hunter2"})


@pytest.fixture
def registry():
    made = OCIRegistry()
    with made.server.running():
        yield made


@pytest.fixture
def fetcher(tmp_path):
    web = Web(Networks())
    yield OCIFetcher(ArtifactStore(tmp_path / "store", limit_bytes=1 << 24), web, EcrLogins())
    web.close()


def source(registry: OCIRegistry, **given: object) -> OCISource:
    url = f"oci://{registry.server.host}/charts/shop"
    return OCISource.model_validate({"url": url, "insecure": True, **given})


def asked(registry: OCIRegistry) -> list[str]:
    """What was asked for since the last time."""
    found = [f"{each.method} {each.path.removeprefix('/v2/charts/shop/')}" for each in registry.asked]
    registry.asked.clear()
    return found


async def test_a_chart_is_fetched_and_looking_again_costs_one_request(registry, fetcher):
    digest = registry.put(ONE, "1.0.0")
    known = await fetcher.fetch(source(registry, tag="1.0.0"), NOBODY, None)
    assert (known.revision, known.digest) == (f"1.0.0@{digest}", digest_of(ONE))
    assert known.path.read_bytes() == ONE
    assert asked(registry)[:3] == ["HEAD manifests/1.0.0", "GET /token", "HEAD manifests/1.0.0"]
    assert await fetcher.fetch(source(registry, tag="1.0.0"), NOBODY, known) == known
    assert asked(registry) == ["HEAD manifests/1.0.0"]


async def test_a_tag_that_moves_is_followed(registry, fetcher):
    registry.put(ONE, "main")
    known = await fetcher.fetch(source(registry, tag="main"), NOBODY, None)
    moved = registry.put(TWO, "main")
    after = await fetcher.fetch(source(registry, tag="main"), NOBODY, known)
    assert (after.revision, after.digest) == (f"main@{moved}", digest_of(TWO))


async def test_a_tag_that_moved_away_from_its_pin_is_an_error(registry, fetcher):
    pinned = registry.put(ONE, "1.0.0")
    wanted = source(registry, tag="1.0.0", digest=pinned)
    known = await fetcher.fetch(wanted, NOBODY, None)
    registry.put(TWO, "1.0.0")
    with pytest.raises(Invalid, match="has moved") as raised:
        await fetcher.fetch(wanted, NOBODY, known)
    assert (raised.value.reason, raised.value.field) == ("TagMoved", "digest")


async def test_a_new_manifest_of_the_same_content_fetches_nothing(registry, fetcher):
    registry.put(ONE, "main")
    known = await fetcher.fetch(source(registry, tag="main"), NOBODY, None)
    layer = {"mediaType": CHART, "digest": digest_of(ONE), "size": len(ONE)}
    registry.manifest({"layers": [layer], "annotations": {"made": "again"}}, "main")
    asked(registry)
    after = await fetcher.fetch(source(registry, tag="main"), NOBODY, known)
    assert (after.digest, after.path) == (known.digest, known.path)
    assert not [request for request in asked(registry) if "blobs" in request]


async def test_a_digest_is_asked_for_once(registry, fetcher):
    digest = registry.put(ONE)
    known = await fetcher.fetch(source(registry, digest=digest), NOBODY, None)
    assert known.revision == digest
    asked(registry)
    assert await fetcher.fetch(source(registry, digest=digest), NOBODY, known) == known
    assert asked(registry) == []


async def test_a_range_finds_the_newest_tag_on_every_page(registry, fetcher):
    for tag in ("0.9.0", "1.0.0", "1.1.0_build.1", "1.2.0-rc.1", "2.0.0", "latest"):
        registry.put(packaged(chart_files(version=tag)), tag)
    found = await fetcher.fetch(source(registry, semver="^1"), NOBODY, None)
    assert found.revision.startswith("1.1.0_build.1@")
    for semver, reason in ((">=3", "VersionNotFound"), ("newest", "InvalidVersionRange")):
        with pytest.raises(Invalid) as raised:
            await fetcher.fetch(source(registry, semver=semver), NOBODY, None)
        assert (raised.value.reason, raised.value.field) == (reason, "semver")


async def test_plain_files_are_unpacked_and_are_no_chart(registry, fetcher):
    registry.put(ONE, "chart")
    registry.put(ONE, "files", kind=FILES)
    chart = await fetcher.fetch(source(registry, tag="chart"), NOBODY, None)
    files = await fetcher.fetch(source(registry, tag="files"), NOBODY, None)
    assert (files.path / "shop" / "Chart.yaml").exists()
    assert chart.path.read_bytes() == ONE


# Who asks


@pytest.mark.parametrize("challenge", ["bearer", "basic"])
async def test_a_password_opens_a_registry(fetcher, challenge):
    registry = OCIRegistry(login=("robot", "hunter2"), challenge=challenge)
    registry.put(ONE, "1.0.0")
    with registry.server.running():
        await fetcher.fetch(source(registry, tag="1.0.0"), LOGIN, None)
        for access in (NOBODY, Access("login", {"username": "robot", "password": "wrong"})):
            with pytest.raises(Denied) as raised:
                await fetcher.fetch(source(registry, tag="1.0.0"), access, None)
            assert (raised.value.reason, raised.value.field) == ("SourceDenied", "secret")
            assert "hunter2" not in str(raised.value)
            assert "wrong" not in str(raised.value)


async def test_a_token_that_is_refused_is_replaced(registry, fetcher):
    registry.put(ONE, "1.0.0")
    known = await fetcher.fetch(source(registry, tag="1.0.0"), NOBODY, None)
    registry.valid = "token-2"
    asked(registry)
    assert await fetcher.fetch(source(registry, tag="1.0.0"), NOBODY, known) == known
    assert asked(registry) == ["HEAD manifests/1.0.0", "GET /token", "HEAD manifests/1.0.0"]


async def test_a_blob_that_is_elsewhere_is_fetched_without_the_token(registry, fetcher):
    registry.put(ONE, "1.0.0")
    with WebServer(lambda request: Reply(200, registry.blobs[request.path[1:]])).running() as storage:
        registry.redirect = storage.url
        found = await fetcher.fetch(source(registry, tag="1.0.0"), NOBODY, None)
        assert found.digest == digest_of(ONE)
        assert "authorization" not in storage.requests[0].headers


def auths(**entries: object) -> Access:
    return Access("login", {".dockerconfigjson": json.dumps({"auths": entries})})


@pytest.mark.parametrize(
    ("host", "name", "entry"),
    [
        ("ghcr.io", "ghcr.io", {"auth": base64.b64encode(b"robot:hunter2").decode()}),
        ("ghcr.io", "https://ghcr.io/v1/", {"username": "robot", "password": "hunter2"}),
        ("docker.io", "https://index.docker.io/v1/", {"auth": base64.b64encode(b"robot:hunter2").decode()}),
        ("127.0.0.1:5000", "127.0.0.1:5000", {"auth": base64.b64encode(b"robot:hunter2").decode()}),
    ],
)
def test_dockers_own_configuration_is_understood(host, name, entry):
    assert credentials(host, auths(**{name: entry})) == ("robot", "hunter2")


@pytest.mark.parametrize(
    "access",
    [
        auths(),
        auths(**{"ghcr.io": {"auth": "%"}}),
        Access("login", {".dockerconfigjson": "[]"}),
        Access("login", {".dockerconfigjson": "{"}),
        Access("login", {"username": "robot"}),
        Access("login", {"other": "x"}),
    ],
)
def test_a_secret_without_a_password_for_the_registry_is_named(access):
    with pytest.raises(Invalid, match="Secret login has no ") as raised:
        credentials("ghcr.io", access)
    assert (raised.value.reason, raised.value.field) == ("KeyNotFound", "secret")


# What is wrong with it


async def test_what_does_not_exist_is_told(registry, fetcher):
    for given in ({"tag": "absent"}, {"digest": f"sha256:{'0' * 64}"}):
        with pytest.raises(Invalid, match=r"does not exist \(404\)") as raised:
            await fetcher.fetch(source(registry, **given), NOBODY, None)
        assert raised.value.reason == "SourceNotFound"


async def test_a_content_that_is_not_what_its_digest_says_is_refused(registry, fetcher):
    manifest = registry.put(ONE, "1.0.0")
    registry.blobs[digest_of(ONE)] = TWO
    with pytest.raises(Invalid) as raised:
        await fetcher.fetch(source(registry, tag="1.0.0"), NOBODY, None)
    assert raised.value.reason == "DigestMismatch"
    registry.manifests[manifest] = b"{}"
    with pytest.raises(Invalid) as raised:
        await fetcher.fetch(source(registry, tag="1.0.0"), NOBODY, None)
    assert raised.value.reason == "DigestMismatch"


@pytest.mark.parametrize(
    ("content", "reason"), [(ONE[:-20], "InvalidArchive"), (b"<html>", "InvalidArchive")]
)
async def test_an_archive_that_is_none_is_told(registry, fetcher, content, reason):
    for tag, kind in (("chart", CHART), ("files", FILES)):
        registry.put(content, tag, kind=kind)
        with pytest.raises(Invalid) as raised:
            await fetcher.fetch(source(registry, tag=tag), NOBODY, None)
        assert raised.value.reason == reason


async def test_an_image_is_no_artifact(registry, fetcher):
    registry.manifest({"manifests": []}, "index")
    registry.put(b"x", "other", kind="application/json")
    for tag, what in (("index", "an index of several images"), ("other", "no layer that is a tar")):
        with pytest.raises(Invalid, match=what) as raised:
            await fetcher.fetch(source(registry, tag=tag), NOBODY, None)
        assert raised.value.reason == "InvalidArtifact"


async def test_a_content_known_here_is_not_given_to_who_cannot_fetch_it(registry, fetcher):
    """Digests are no secrets: naming one in a manifest of one's own must not open somebody else's chart."""
    registry.put(ONE, "1.0.0")
    await fetcher.fetch(source(registry, tag="1.0.0"), NOBODY, None)
    other = OCIRegistry()
    other.put(ONE, "mine")
    other.blobs.clear()
    with other.server.running(), pytest.raises(Invalid, match="does not exist"):
        await fetcher.fetch(source(other, tag="mine"), NOBODY, None)


# Signatures


def signed_by(*keys: SigningKey) -> Access:
    return Access(keys=tuple(key.public for key in keys))


VERIFY = {"cosignKeys": [{"configMap": {"name": "keys"}}]}


@pytest.mark.parametrize("way", ["sign", "attest"])
async def test_an_artifact_signed_by_one_of_the_keys_is_taken(registry, fetcher, way):
    key, other = SigningKey(), SigningKey()
    digest = registry.put(ONE, "1.0.0")
    getattr(registry, way)(digest, key)
    wanted = source(registry, tag="1.0.0", verify=VERIFY)
    assert (await fetcher.fetch(wanted, signed_by(other, key), None)).digest == digest_of(ONE)
    with pytest.raises(Denied, match="none of its 1 signatures is by a key given") as raised:
        await fetcher.fetch(wanted, signed_by(other), None)
    assert (raised.value.reason, raised.value.field) == ("SignatureInvalid", "verify")


async def test_what_was_signed_elsewhere_does_not_count(registry, fetcher):
    key = SigningKey()
    digest, other = registry.put(ONE, "1.0.0"), registry.put(TWO, "1.1.0")
    wanted = source(registry, tag="1.0.0", verify=VERIFY)
    with pytest.raises(Denied, match="is not signed"):
        await fetcher.fetch(wanted, signed_by(key), None)
    registry.sign(digest, key, says=other)
    registry.attest(digest, key, predicate="https://slsa.dev/provenance/v1")
    registry.attest(other, key)
    registry.referrers[digest] += registry.referrers[other]
    with pytest.raises(Denied, match="is not signed"):
        await fetcher.fetch(wanted, signed_by(key), None)


async def test_a_key_that_is_none_is_told(registry, fetcher):
    registry.put(ONE, "1.0.0")
    wanted = source(registry, tag="1.0.0", verify=VERIFY)
    with pytest.raises(Invalid, match="no public key in PEM") as raised:
        await fetcher.fetch(wanted, Access(keys=("nonsense",)), None)
    assert raised.value.field == "verify.cosignKeys"
