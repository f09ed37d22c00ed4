"""SecretLister and ParameterPaths: pages to the end or the bound, once for all who wait, and typed errors."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from pierhead.aws.errors import AccessDenied, AwsError, Throttling, from_code
from pierhead.aws.identity import AwsIdentity
from pierhead.aws.parameterpaths import PAGES as PATH_PAGES
from pierhead.aws.parameterpaths import ParameterPaths
from pierhead.aws.secretlists import PAGES, Criteria, SecretLister
from support.virtual_time import now, virtual_time

REGION = "eu-west-1"
ME = AwsIdentity()
OTHER = AwsIdentity(role_arn="arn:aws:iam::999922223333:role/other")
Pages = Callable[[str | None], dict[str, Any]]


class FakeAws:
    """What the listers ask of AwsSessions: pages by token, after a while."""

    def __init__(self, page: Pages) -> None:
        self.page = page
        self.calls: list[tuple[str, AwsIdentity, dict[str, Any]]] = []

    def client(self, service: str, *, region: str, identity: AwsIdentity) -> Any:
        assert region == REGION
        aws = self

        class Client:
            async def call(self, operation: str, /, **parameters: Any) -> dict[str, Any]:
                aws.calls.append((f"{service}:{operation}", identity, parameters))
                await asyncio.sleep(0.1)
                return aws.page(parameters.get("NextToken"))

        return Client()


def secret(name: str, **fields: Any) -> dict[str, Any]:
    versions = {"v1": ["AWSPREVIOUS"], "v2": ["AWSCURRENT", "live"]}
    return {"Name": name, "ARN": f"arn:{name}", "SecretVersionsToStages": versions, **fields}


def parameter(name: str) -> dict[str, Any]:
    made = datetime(2026, 8, 1, tzinfo=UTC)
    return {"Name": name, "Version": 3, "Value": "hunter2", "Type": "SecureString", "LastModifiedDate": made}


def endless(_token: str | None) -> dict[str, Any]:
    return {"NextToken": "more"}


def failing(error: AwsError) -> Pages:
    def page(_token: str | None) -> dict[str, Any]:
        raise error

    return page


@virtual_time
async def test_all_pages_are_read_and_an_empty_one_is_not_the_end() -> None:
    pages: dict[str | None, dict[str, Any]] = {
        None: {"SecretList": [secret("b"), secret("gone", DeletedDate=1)], "NextToken": "1"},
        "1": {"SecretList": [], "NextToken": "2"},
        "2": {"SecretList": [secret("a", Tags=[{"Key": "team", "Value": "shop"}])]},
    }
    aws = FakeAws(lambda token: pages[token])
    found = await SecretLister(aws).list(ME, REGION, Criteria(names=("a", "b")))  # type: ignore[arg-type]

    assert found.complete
    assert [(one.name, one.version_id, one.tags) for one in found.secrets] == [
        ("a", "v2", {"team": "shop"}),
        ("b", "v2", {}),
    ]
    assert aws.calls[0][2] == {"MaxResults": 100, "Filters": [{"Key": "name", "Values": ["a", "b"]}]}


@virtual_time
async def test_a_list_without_end_is_cut_and_says_so() -> None:
    secrets, parameters = FakeAws(endless), FakeAws(endless)
    listed = await SecretLister(secrets).list(ME, REGION, Criteria())  # type: ignore[arg-type]
    below = await ParameterPaths(parameters).below(ME, REGION, "/shop")  # type: ignore[arg-type]

    assert (listed.complete, len(secrets.calls)) == (False, PAGES)
    assert (below.complete, len(parameters.calls)) == (False, PATH_PAGES)


@virtual_time
async def test_equal_lists_are_made_once_and_identities_share_none() -> None:
    aws = FakeAws(lambda _token: {"SecretList": []})
    lister = SecretLister(aws)  # type: ignore[arg-type]
    same = [lister.list(who, REGION, Criteria(names=("a",))) for who in (ME, OTHER, ME)]
    await asyncio.gather(*same, lister.list(ME, REGION, Criteria(names=("b",))))

    assert [who for _, who, _ in aws.calls] == [ME, OTHER, ME]


@virtual_time
async def test_parameters_below_a_path_come_with_their_values() -> None:
    pages: dict[str | None, dict[str, Any]] = {
        None: {"Parameters": [parameter("/shop/b")], "NextToken": "1"},
        "1": {"Parameters": [parameter("/shop/a")]},
    }
    aws = FakeAws(lambda token: pages[token])
    found = await ParameterPaths(aws).below(ME, REGION, "/shop")  # type: ignore[arg-type]

    assert [one.name for one in found.parameters] == ["/shop/a", "/shop/b"]
    assert (found.parameters[0].type, found.parameters[0].made_at) == ("SecureString", 1785542400.0)
    assert "hunter2" not in repr(found)
    assert aws.calls[0][2] == {
        "Path": "/shop",
        "Recursive": True,
        "WithDecryption": True,
        "MaxResults": 10,
    }


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException"])
@virtual_time
async def test_failures_are_typed_and_a_throttle_slows_all_of_its_account(code: str) -> None:
    error = from_code(code, "no", operation="List")
    aws = FakeAws(failing(error))
    lister, paths = SecretLister(aws), ParameterPaths(aws)  # type: ignore[arg-type]
    for read in (lister.list(ME, REGION, Criteria()), paths.below(ME, REGION, "/shop")):
        with pytest.raises(Throttling if code == "ThrottlingException" else AccessDenied):
            await read
    began = now()
    with pytest.raises(AwsError):
        await lister.list(ME, REGION, Criteria())

    assert (now() - began > 1) is (code == "ThrottlingException")


@virtual_time
async def test_only_an_answer_proves_that_a_secret_is_gone() -> None:
    answers: list[Any] = [
        secret("a") | {"VersionIdsToStages": {"v7": ["AWSCURRENT"]}},
        {"ARN": "arn:a", "Name": "a", "DeletedDate": 1},
        from_code("ResourceNotFoundException", "no", operation="DescribeSecret"),
        from_code("AccessDeniedException", "no", operation="DescribeSecret"),
    ]

    def page(_token: str | None) -> dict[str, Any]:
        answer = answers.pop(0)
        if isinstance(answer, AwsError):
            raise answer
        found: dict[str, Any] = answer
        return found

    lister = SecretLister(FakeAws(page))  # type: ignore[arg-type]
    there = await lister.describe(ME, REGION, "a")
    assert there is not None
    assert there.version_id == "v7"
    assert await lister.describe(ME, REGION, "a") is None
    assert await lister.describe(ME, REGION, "a") is None
    with pytest.raises(AccessDenied):
        await lister.describe(ME, REGION, "a")
