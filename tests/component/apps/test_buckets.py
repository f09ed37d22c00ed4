"""Files of S3 and of Azure Blob Storage: one folder, followed at the price of a listing."""

import asyncio
import base64

import pytest

from pierhead.apps.aws import AwsScopes
from pierhead.apps.inputs.references import References
from pierhead.apps.model.sources import BucketSource
from pierhead.apps.sources.access import Access
from pierhead.apps.sources.artifact import ArtifactStore
from pierhead.apps.sources.bucket import MOST_BYTES, BucketFetcher
from pierhead.aws.policy import Policy
from pierhead.aws.session import AwsSessions
from pierhead.engine.outcome import Denied, Invalid, Transient
from pierhead.engine.resource import ObjectKey
from pierhead.model.aws import AwsAccess
from pierhead.settings import Settings
from pierhead.stores.networks import Networks
from pierhead_sandbox.aws.protocol import Fault
from support.azure_blobs import AzureBlobs

KEY = base64.b64encode(b"hunter2 hunter2 hunter2").decode()


@pytest.fixture
def fetcher(tmp_path):
    return BucketFetcher(ArtifactStore(tmp_path / "store", limit_bytes=1 << 26), Networks())


@pytest.fixture
def azure():
    made = AzureBlobs()
    made.blobs = {
        "apps/prod/app.yaml": b"a: 1",
        "apps/prod/deep/b.yaml": b"b: 1",
        "apps/production/c.yaml": b"c",
    }
    with made.server.running():
        yield made


def container(azure: AzureBlobs, prefix: str | None = "prod") -> BucketSource:
    where = {"account": azure.account, "endpoint": azure.endpoint}
    return BucketSource.model_validate({"name": "apps", "prefix": prefix, "azure": where})


async def test_a_folder_of_azure_is_followed_at_the_price_of_a_listing(fetcher, azure):
    known = await fetcher.fetch(container(azure), Access(), None)
    files = {str(path.relative_to(known.path)) for path in known.path.rglob("*") if path.is_file()}
    assert files == {"app.yaml", "deep/b.yaml"}
    azure.server.requests.clear()
    assert await fetcher.fetch(container(azure), Access(), known) is known
    assert len(azure.server.requests) == 1
    azure.blobs["apps/prod/app.yaml"] = b"a: 2"
    after = await fetcher.fetch(container(azure), Access(), known)
    assert (after.path / "app.yaml").read_bytes() == b"a: 2"
    assert after.digest != known.digest


@pytest.mark.parametrize(
    "secret",
    [{"accountKey": KEY}, {"sasKey": f"?sv=2024-01-01&sig={KEY.rstrip('=')}"}],
    ids=["account", "sas"],
)
async def test_azure_is_asked_with_the_keys_of_the_secret(fetcher, azure, secret):
    azure.key = KEY.rstrip("=")
    await fetcher.fetch(container(azure), Access("login", secret), None)
    with pytest.raises(Denied) as raised:
        await fetcher.fetch(container(azure), Access(), None)
    assert raised.value.reason == "SourceDenied"
    assert KEY[:8] not in str(raised.value)


async def test_what_is_wrong_with_a_bucket_is_told(fetcher, azure, tmp_path):
    with pytest.raises(Invalid, match="no object under 'absent'") as raised:
        await fetcher.fetch(container(azure, "absent"), Access(), None)
    assert (raised.value.reason, raised.value.field) == ("SourceEmpty", "prefix")
    with pytest.raises(Invalid) as raised:
        await fetcher.fetch(container(azure), Access("login", {"accountKey": "no base64"}), None)
    assert raised.value.reason == "InvalidValues"
    azure.blobs["apps/prod/big"] = bytes(MOST_BYTES + 1)
    with pytest.raises(Invalid) as raised:
        await fetcher.fetch(container(azure), Access(), None)
    assert raised.value.reason == "SourceTooLarge"
    azure.status = 404
    with pytest.raises(Invalid) as raised:
        await fetcher.fetch(container(azure), Access(), None)
    assert raised.value.reason == "SourceNotFound"
    closed = BucketFetcher(ArtifactStore(tmp_path / "other", limit_bytes=1 << 20), Networks(["127.0.0.0/8"]))
    with pytest.raises(Denied) as raised:
        await closed.fetch(container(azure), Access(), None)
    assert raised.value.reason == "SourceAddressRefused"


# S3


@pytest.fixture
async def shop(sandbox, aws_client, kube):
    """A bucket of namespace `shop` in the stand-in, and access to it."""
    client = aws_client("s3")

    def put(**files: bytes) -> None:
        for name, content in files.items():
            client.put_object(Bucket="shop-apps", Key=name.replace("__", "/") + ".yaml", Body=content)

    await asyncio.to_thread(client.create_bucket, Bucket="shop-apps")
    await asyncio.to_thread(put, prod__app=b"a: 1", prod__deep__b=b"b: 1", production__c=b"c: 1")
    sessions = AwsSessions(Settings())
    scopes = AwsScopes(sessions, Policy((), region="us-east-1"), region="us-east-1")

    references = References(kube)

    async def access(**identity):
        given = AwsAccess.model_validate(identity) if identity else None
        reader = references.of(ObjectKey("shop", "shop"), 1, kube)
        return Access(aws=await scopes.of(given, reader))

    access.put = put
    yield access
    await references.stop()
    await sessions.close()


FOLDER = BucketSource(name="shop-apps", prefix="prod/")


async def test_a_folder_of_s3_is_followed_at_the_price_of_a_listing(fetcher, shop, aws):
    known = await fetcher.fetch(FOLDER, await shop(), None)
    files = {str(path.relative_to(known.path)) for path in known.path.rglob("*") if path.is_file()}
    assert files == {"app.yaml", "deep/b.yaml"}
    before = len(aws.call_log())
    assert await fetcher.fetch(FOLDER, await shop(), known) is known
    assert len(aws.call_log()) == before + 1
    await asyncio.to_thread(shop.put, prod__app=b"a: 2")
    after = await fetcher.fetch(FOLDER, await shop(), known)
    assert (after.path / "app.yaml").read_bytes() == b"a: 2"


async def test_s3_is_asked_as_the_role(fetcher, shop, aws):
    await fetcher.fetch(FOLDER, await shop(roleArn="arn:aws:iam::123456789012:role/shop-reader"), None)
    assert aws.count("sts", "AssumeRole") == 1
    calls = [call for call in aws.call_log() if call.service == "s3"]
    assert {call.access_key for call in calls[-3:]} != {calls[0].access_key}


async def test_what_s3_refuses_is_told(fetcher, shop, aws):
    for fault, error, reason in (
        (Fault.deny("s3"), Denied, "SourceDenied"),
        (Fault.server_error("s3"), Transient, "SourceUnreachable"),
    ):
        added = aws.add_fault(fault)
        with pytest.raises(error) as raised:
            await fetcher.fetch(FOLDER, await shop(), None)
        assert raised.value.reason == reason
        assert str(raised.value).startswith("s3://shop-apps ")
        aws.remove_fault(added)
    with pytest.raises(Invalid) as raised:
        await fetcher.fetch(BucketSource(name="shop-gone"), await shop(), None)
    assert raised.value.reason == "SourceNotFound"
