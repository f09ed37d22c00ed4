"""Charts in ECR: as the AppRelease's identity, without a static password, within the namespace's policy."""

import socket
from datetime import UTC, datetime, timedelta

import pytest

from pierhead.apps.aws import AwsScopes
from pierhead.apps.inputs.accesses import Accesses
from pierhead.apps.inputs.references import References
from pierhead.apps.model.sources import Source
from pierhead.apps.sources.artifact import ArtifactStore
from pierhead.apps.sources.oci import OCIFetcher
from pierhead.aws.policy import Policy, PolicyDenied
from pierhead.aws.registry import EcrLogins, EcrRegistry
from pierhead.aws.session import AwsSessions
from pierhead.engine.outcome import Denied, Invalid
from pierhead.engine.resource import ObjectKey
from pierhead.kube.resources import SECRETS
from pierhead.model.aws import AwsAccess
from pierhead.settings import Settings
from pierhead.stores.networks import Networks
from pierhead.stores.web import Web
from support.app_sources import chart_files, packaged
from support.oci_registry import OCIRegistry
from support.web_server import authority

HOST = "123456789012.dkr.ecr.us-east-1.amazonaws.com"
PASSWORD = "123456789012-auth-token"
"""What the stand-in gives, as AWS does for the account it is asked in."""


@pytest.fixture
def registry(tmp_path):
    tls, certificate = authority(tmp_path, HOST)
    made = OCIRegistry(login=("AWS", PASSWORD), challenge="basic", tls=tls)
    made.certificate = certificate
    made.put(packaged(chart_files()), "1.0.0")
    with made.server.running():
        yield made


class Clock:
    def __init__(self):
        self.now = datetime.now(UTC)

    def __call__(self):
        return self.now


@pytest.fixture
async def lab(sandbox, aws, kube, namespace, registry, tmp_path, monkeypatch):
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    sessions = AwsSessions(Settings())
    scopes = AwsScopes(sessions, Policy((), region="us-east-1"), region="us-east-1")
    web = Web(Networks(resolve=lambda _host, _port: [(socket.AF_INET, "127.0.0.1", registry.server.port)]))
    clock = Clock()
    store = ArtifactStore(tmp_path / "store", limit_bytes=1 << 24)
    fetcher = OCIFetcher(store, web, EcrLogins(now=clock))
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "authority", "namespace": namespace},
        "stringData": {"ca.crt": registry.certificate},
    }
    await kube.apply(SECRETS, secret, field_manager="test")
    references = References(kube, namespaces=[namespace])

    async def fetch(repository=f"{namespace}/shop", known=None, identity=None, **given):
        oci = {"url": f"oci://{HOST}/{repository}", "tag": "1.0.0", "secret": {"name": "authority"}, **given}
        source = Source.model_validate({"oci": oci})
        reader = references.of(ObjectKey(namespace, "shop"), 1, kube)
        field, access = await Accesses(reader, scopes).of(source, identity, at="spec.source")
        assert field == "oci"
        return await fetcher.fetch(source.oci, access, known)

    fetch.clock = clock
    yield fetch
    await references.stop()
    web.close()
    await sessions.close()


async def test_the_password_comes_from_ecr_and_is_asked_for_once_in_its_life(lab, aws):
    known = await lab()
    assert known.revision.startswith("1.0.0@sha256:")
    assert await lab(known=known) == known
    assert aws.count("ecr", "GetAuthorizationToken") == 1
    lab.clock.now += timedelta(hours=11, minutes=30)
    await lab(known=known)
    assert aws.count("ecr", "GetAuthorizationToken") == 1
    lab.clock.now += timedelta(days=2)
    await lab(known=known)
    assert aws.count("ecr", "GetAuthorizationToken") > 1


async def test_a_password_that_is_refused_is_asked_for_anew_once(lab, aws, registry):
    registry.login = ("AWS", "another")
    with pytest.raises(Denied) as raised:
        await lab()
    assert raised.value.reason == "SourceDenied"
    assert PASSWORD not in str(raised.value)
    assert aws.count("ecr", "GetAuthorizationToken") <= 2


async def test_it_is_the_identity_of_the_apprelease(lab, aws, namespace):
    role = AwsAccess(role_arn=f"arn:aws:iam::123456789012:role/{namespace}-reader")
    await lab(identity=role)
    assert aws.count("sts", "AssumeRole") == 1


async def test_a_repository_or_region_that_is_not_the_namespaces_is_refused_before_any_call(lab, aws):
    with pytest.raises(PolicyDenied) as raised:
        await lab("charts/shop")
    assert raised.value.field == "spec.source.oci.url"
    assert "arn:aws:ecr:us-east-1:123456789012:repository/charts/shop" in str(raised.value)
    elsewhere = HOST.replace("us-east-1", "eu-west-1")
    with pytest.raises(PolicyDenied, match="region 'eu-west-1'"):
        await lab(url=f"oci://{elsewhere}/charts/shop")
    with pytest.raises(Invalid, match="has TLS"):
        await lab(insecure=True)
    assert aws.call_log() == []


@pytest.mark.parametrize(
    ("host", "account", "region", "arn"),
    [
        (HOST, "123456789012", "us-east-1", "arn:aws:ecr:us-east-1:123456789012:repository/a/b"),
        (
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "123456789012",
            "cn-north-1",
            "arn:aws-cn:ecr:cn-north-1:123456789012:repository/a/b",
        ),
        (
            "123456789012.dkr-ecr.us-gov-west-1.on.aws",
            "123456789012",
            "us-gov-west-1",
            "arn:aws-us-gov:ecr:us-gov-west-1:123456789012:repository/a/b",
        ),
    ],
)
def test_a_registry_is_known_by_its_host(host, account, region, arn):
    found = EcrRegistry.of(host)
    assert found == EcrRegistry(account, region)
    assert found.arn("a/b") == arn


@pytest.mark.parametrize(
    "host", ["public.ecr.aws", f"{HOST}.example.com", f"{HOST}:8443", "evil.dkr.ecr.us-east-1.amazonaws.com"]
)
def test_no_other_host_is_given_a_password(host):
    assert EcrRegistry.of(host) is None
