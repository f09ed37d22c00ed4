"""AwsSessions over HTTP: who asks, how often, and what becomes of failures."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import pytest

from pierhead.aws import session as session_module
from pierhead.aws.errors import AccessDenied, Ambiguous, NotFound, Throttling, Unavailable
from pierhead.aws.session import AwsIdentity, AwsSessions
from pierhead.engine.outcome import Denied, ReconcileError, Transient
from pierhead.settings import Settings
from pierhead_sandbox.aws.control import AwsControl
from pierhead_sandbox.aws.protocol import Fault
from pierhead_sandbox.sandbox import Sandbox

ROLE = AwsIdentity(
    role_arn="arn:aws:iam::123456789012:role/shop-reader",
    external_id="shop",
    session_name="pierhead-shop",
    tags=(("kubernetes-namespace", "shop"),),
)
Counts = Counter[tuple[str, str, str]]


@pytest.fixture
def counts() -> Counts:
    return Counter()


@pytest.fixture
async def sessions(
    sandbox: Sandbox, aws: AwsControl, counts: Counts, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[AwsSessions]:
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)
    opened = AwsSessions(Settings(aws_threads=4), count=lambda *call: counts.update([call]))
    yield opened
    await opened.close()


def tokens_of(access_key: str, lifetime: int, action: str = "AssumeRole") -> str:
    expires = (datetime.now(UTC) + timedelta(seconds=lifetime)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>'
        f"<AccessKeyId>{access_key}</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
        f"<SessionToken>t</SessionToken><Expiration>{expires}</Expiration>"
        f"</Credentials></{action}Result></{action}Response>"
    )


class RecordedSts:
    """An STS that keeps the requests, and gives credentials of a lifetime."""

    def __init__(self) -> None:
        self.requests: list[dict[str, list[str]]] = []
        recorded = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                recorded.requests.append(parse_qs(body))
                (action,) = recorded.requests[-1]["Action"]
                answer = tokens_of(f"ASIA{len(recorded.requests):016}", 3600, action).encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedSts]:
    recorded = RecordedSts()
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", recorded.url)
    yield recorded
    recorded.server.shutdown()
    recorded.server.server_close()


async def test_a_call_is_answered_and_counted(sessions: AwsSessions, counts: Counts) -> None:
    client = sessions.client("secretsmanager")
    made = await client.call("create_secret", Name="shop/a", SecretString="x")
    found = await client.call("get_secret_value", SecretId="shop/a")
    with pytest.raises(NotFound):
        await client.call("get_secret_value", SecretId="shop/b")

    assert found["VersionId"] == made["VersionId"]
    assert counts == {
        ("secretsmanager", "CreateSecret", "OK"): 1,
        ("secretsmanager", "GetSecretValue", "OK"): 1,
        ("secretsmanager", "GetSecretValue", "ResourceNotFoundException"): 1,
    }


async def test_sts_is_told_who_asks_and_is_asked_once(sessions: AwsSessions, sts: RecordedSts) -> None:
    async def one() -> None:
        with pytest.raises(NotFound):
            await sessions.client("secretsmanager", identity=ROLE).call("get_secret_value", SecretId="none")

    await asyncio.gather(*(one() for _ in range(30)))
    (request,) = sts.requests

    assert request["Action"] == ["AssumeRole"]
    assert request["RoleArn"] == [ROLE.role_arn]
    assert request["ExternalId"] == ["shop"]
    assert request["RoleSessionName"] == ["pierhead-shop"]
    assert request["Tags.member.1.Key"] == ["kubernetes-namespace"]
    assert request["Tags.member.1.Value"] == ["shop"]


WEB = AwsIdentity(
    role_arn="arn:aws:iam::123456789012:role/shop-reader",
    service_account=("shop", "reader"),
    session_name="pierhead-shop",
)


async def test_a_service_accounts_token_is_exchanged_once(sessions: AwsSessions, sts: RecordedSts) -> None:
    asked = []

    async def token(namespace: str, name: str, /, *, audience: str) -> str:
        asked.append((namespace, name, audience))
        return "a-token"

    opened = AwsSessions(Settings(), tokens=token)
    client = opened.client("secretsmanager", identity=WEB)
    with suppress(ReconcileError):
        await asyncio.gather(*(client.call("list_secrets") for _ in range(30)))
    await opened.close()
    (request,) = sts.requests

    assert asked == [("shop", "reader", "sts.amazonaws.com")]
    assert request["Action"] == ["AssumeRoleWithWebIdentity"]
    assert request["WebIdentityToken"] == ["a-token"]
    assert request["RoleArn"] == [WEB.role_arn]


@pytest.mark.parametrize(
    ("failure", "expected"),
    [(Denied("no right", reason="Forbidden"), AccessDenied), (Transient("gone"), Unavailable)],
)
async def test_a_token_that_is_not_given_is_told(
    sts: RecordedSts, failure: ReconcileError, expected: type[ReconcileError]
) -> None:
    async def token(_namespace: str, _name: str, /, *, audience: str) -> str:
        raise failure

    opened = AwsSessions(Settings(), tokens=token)
    with pytest.raises(expected) as raised:
        await opened.client("secretsmanager", identity=WEB).call("list_secrets")
    await opened.close()
    assert str(raised.value) == failure.message
    assert sts.requests == []


async def test_identities_that_differ_in_anything_have_their_own_credentials(
    sessions: AwsSessions, sts: RecordedSts, aws: AwsControl
) -> None:
    others = [
        ROLE,
        AwsIdentity(role_arn=ROLE.role_arn),
        AwsIdentity(role_arn=ROLE.role_arn, external_id="shop", tags=(("kubernetes-namespace", "other"),)),
    ]
    for identity in others:
        with pytest.raises(NotFound):
            await sessions.client("secretsmanager", identity=identity).call(
                "get_secret_value", SecretId="none"
            )

    assert len(sts.requests) == len({call.access_key for call in aws.call_log()}) == 3


async def test_credentials_are_renewed_before_they_expire_by_one_call(
    sessions: AwsSessions, sts: RecordedSts
) -> None:
    client = sessions.client("secretsmanager", identity=ROLE)
    with pytest.raises(NotFound):
        await client.call("get_secret_value", SecretId="none")
    assert len(sts.requests) == 1
    # Botocore's own clock cannot be driven.
    credentials = sessions._entry(ROLE).session._credentials
    credentials._expiry_time = datetime.now(UTC) + timedelta(minutes=5)
    sessions._ring._now = lambda: datetime.now(UTC) + timedelta(minutes=55)

    async def one() -> None:
        with pytest.raises(NotFound):
            await client.call("get_secret_value", SecretId="none")

    await asyncio.gather(*(one() for _ in range(30)))
    assert len(sts.requests) == 2


async def test_a_slow_sts_holds_one_thread_and_nobody_else(sessions: AwsSessions, aws: AwsControl) -> None:
    aws.add_fault(Fault.latency("sts", seconds=1.5))
    assumed = sessions.client("secretsmanager", identity=ROLE)
    waiting = [asyncio.create_task(assumed.call("list_secrets")) for _ in range(20)]
    await asyncio.sleep(0)
    began = time.monotonic()
    await asyncio.gather(*(sessions.client("secretsmanager").call("list_secrets") for _ in range(6)))
    assert time.monotonic() - began < 1.2
    await asyncio.gather(*waiting)
    assert aws.count("sts", "AssumeRole") == 1


async def test_a_refused_role_is_not_asked_for_again_for_a_while(
    sandbox: Sandbox, sessions: AwsSessions, aws: AwsControl
) -> None:
    now = 0.0
    driven = AwsSessions(Settings(), clock=lambda: now)
    fault = aws.add_fault(Fault.deny("sts", "AssumeRole"))
    client = driven.client("secretsmanager", identity=ROLE)
    for _ in range(3):
        with pytest.raises(AccessDenied) as refused:
            await client.call("list_secrets")
        assert refused.value.operation == "AssumeRole"
    assert aws.count("sts", "AssumeRole") == 1
    aws.remove_fault(fault)
    now = session_module.REFUSED_SECONDS
    await client.call("list_secrets")
    await driven.close()


async def test_credentials_that_aws_takes_no_more_are_asked_for_anew_but_not_each_time(
    aws: AwsControl, sandbox: Sandbox, sessions: AwsSessions
) -> None:
    now = 0.0
    driven = AwsSessions(Settings(), clock=lambda: now)
    client = driven.client("secretsmanager", identity=ROLE)
    await client.call("list_secrets")
    worthless = Fault(service="secretsmanager", status=403, code="InvalidClientTokenId")
    fault = aws.add_fault(worthless)
    for moment in (1.0, session_module.REFUSED_SECONDS, session_module.REFUSED_SECONDS + 1):
        now = moment
        with pytest.raises(AccessDenied, match="does not accept the credentials"):
            await client.call("list_secrets")
    aws.remove_fault(fault)
    await client.call("list_secrets")
    await driven.close()

    assert aws.count("sts", "AssumeRole") == 2


async def test_without_retries_a_call_is_sent_once(sessions: AwsSessions, aws: AwsControl) -> None:
    aws.add_fault(Fault.server_error("secretsmanager", "ListSecrets"))
    with pytest.raises(Ambiguous):
        await sessions.client("secretsmanager", retries=False).call("list_secrets")
    assert aws.count("secretsmanager", "ListSecrets") == 1
    with pytest.raises(Ambiguous):
        await sessions.client("secretsmanager").call("list_secrets")
    assert aws.count("secretsmanager", "ListSecrets") == 4


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault.deny("secretsmanager"), AccessDenied),
        (Fault.throttle("secretsmanager"), Throttling),
        (Fault.drop("secretsmanager"), Ambiguous),
        (Fault.drop("secretsmanager", accepted=True), Ambiguous),
        (Fault.server_error("secretsmanager", accepted=True), Ambiguous),
    ],
    ids=["denied", "throttled", "dropped", "dropped after", "broken after"],
)
async def test_faults_become_what_they_mean(
    sessions: AwsSessions, aws: AwsControl, fault: Fault, expected: type[Exception]
) -> None:
    aws.add_fault(fault)
    with pytest.raises(expected):
        await sessions.client("secretsmanager", retries=False).call("list_secrets")


async def test_an_endpoint_nobody_listens_at_is_not_ambiguous(
    sessions: AwsSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", "http://127.0.0.1:9")
    with pytest.raises(Unavailable) as failed:
        await sessions.client("sns", retries=False).call("list_topics")

    assert not isinstance(failed.value, Ambiguous)


async def test_a_hanging_call_does_not_stop_the_loop_and_ends(
    sessions: AwsSessions, aws: AwsControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pierhead.aws.identity.READ_SECONDS", 1)
    aws.add_fault(Fault.timeout("secretsmanager"))
    hanging = asyncio.create_task(sessions.client("secretsmanager", retries=False).call("list_secrets"))
    ticks = 0
    while not hanging.done():
        await asyncio.sleep(0.02)
        ticks += 1
    with pytest.raises(Ambiguous):
        await hanging
    assert ticks > 20


async def test_sessions_are_bounded_and_credentials_outlive_them(
    sessions: AwsSessions, aws: AwsControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "IDENTITIES", 2)
    for number in (1, 2, 3, 1, 2, 3):
        identity = AwsIdentity(role_arn=f"arn:aws:iam::123456789012:role/r{number}")
        await sessions.client("secretsmanager", identity=identity).call("list_secrets")

    assert aws.count("sts", "AssumeRole") == 3


async def test_no_credentials_are_told_as_such(
    sessions: AwsSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    without = AwsSessions(Settings())
    with pytest.raises(Unavailable, match="pierhead has no AWS credentials"):
        await without.client("secretsmanager").call("list_secrets")
    await without.close()


async def test_botocore_logs_nothing_at_any_level(
    sessions: AwsSessions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await sessions.client("secretsmanager").call("create_secret", Name="shop/a", SecretString="cAnArY")

    assert not [
        record for record in caplog.records if record.name.partition(".")[0] in {"botocore", "urllib3"}
    ]
