"""One call to ECR for each identity, region and life of a password, whoever uses it and for how long."""

import asyncio
import base64
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from pierhead.aws.errors import Unavailable
from pierhead.aws.registry import EcrLogins

START = datetime(2026, 11, 23, tzinfo=UTC)
LIFE = timedelta(hours=12)


class Ecr:
    """ECR, and the time it is there."""

    def __init__(self) -> None:
        self.now = START
        self.calls = 0
        self.logins = EcrLogins(now=lambda: self.now)

    def client(self, identity: str = "operator", region: str = "us-east-1") -> Any:
        async def call(operation: str) -> dict[str, Any]:
            assert operation == "get_authorization_token"
            self.calls += 1
            token = base64.b64encode(f"AWS:password-{self.calls}".encode()).decode()
            given = {
                "authorizationToken": token,
                "expiresAt": self.now + LIFE,
                "proxyEndpoint": f"https://123456789012.dkr.ecr.{region}.amazonaws.com",
            }
            return {"authorizationData": [given]}

        return SimpleNamespace(identity=identity, region=region, call=call)


async def test_a_login_that_is_kept_elsewhere_is_renewed_when_a_third_of_its_life_is_left() -> None:
    ecr = Ecr()
    first, *others = await asyncio.gather(*(ecr.logins.lasting(ecr.client()) for _ in range(50)))

    assert ecr.calls == 1
    assert {id(first)} == {id(other) for other in others}
    assert (first.username, first.password) == ("AWS", "password-1")
    assert first.host == "123456789012.dkr.ecr.us-east-1.amazonaws.com"
    assert (first.expires_at, first.renew_at) == (START + LIFE, START + timedelta(hours=8))
    assert "password-1" not in repr(first)
    ecr.now = first.renew_at - timedelta(seconds=1)
    assert await ecr.logins.lasting(ecr.client()) is first
    ecr.now = first.renew_at
    second = await ecr.logins.lasting(ecr.client())
    assert (second.password, ecr.calls) == ("password-2", 2)
    assert second.renew_at > ecr.now


async def test_what_is_used_at_once_and_what_is_kept_share_an_answer() -> None:
    ecr = Ecr()

    assert await ecr.logins.login(ecr.client()) == ("AWS", "password-1")
    assert (await ecr.logins.lasting(ecr.client())).password == "password-1"
    ecr.now += timedelta(hours=11)
    assert await ecr.logins.login(ecr.client()) == ("AWS", "password-1")
    assert await ecr.logins.login(ecr.client(), fresh=True) == ("AWS", "password-2")
    assert ecr.calls == 2


async def test_another_identity_or_region_has_a_login_of_its_own() -> None:
    ecr = Ecr()
    clients = [ecr.client(), ecr.client("tenant"), ecr.client(region="eu-west-1")]

    found = {(await ecr.logins.lasting(client)).password for client in clients}

    assert len(found) == ecr.calls == 3


async def test_an_answer_without_a_token_is_told_without_what_it_has() -> None:
    async def call(_operation: str) -> dict[str, Any]:
        return {"authorizationData": [{"authorizationToken": "canary"}]}

    client: Any = SimpleNamespace(identity="operator", region="us-east-1", call=call)
    with pytest.raises(Unavailable) as raised:
        await EcrLogins().lasting(client)

    assert "canary" not in repr(raised.value)
    assert raised.value.__suppress_context__
