"""The door to servers that tenants chose, against real servers on the loopback."""

import hashlib
import socket
import threading

import pytest
from pydantic import ValidationError

from pierhead.engine.outcome import Denied, Invalid, Throttled, Transient
from pierhead.settings import Settings
from pierhead.stores.networks import Networks
from pierhead.stores.web import Request, Web, shown
from support.web_server import Asked, Reply, WebServer, authority, proving

CONTENT = b"entries: {}\n"
PRIVATE = b"169.254.169.254 credentials hunter2"
OFF = Networks(Settings().refused_source_networks)


def answer(asked: Asked) -> Reply:
    if asked.path == "/index.yaml":
        if asked.headers.get("if-none-match") == '"one"':
            return Reply(304, headers={"ETag": '"one"'})
        return Reply(200, CONTENT, {"ETag": '"one"'})
    if asked.path == "/cut":
        return Reply(200, CONTENT, cut=4)
    if asked.path == "/round":
        return Reply(302, PRIVATE, {"Location": "/round"})
    if asked.path == "/away":
        return Reply(302, PRIVATE, {"Location": asked.query})
    return Reply(int(asked.path.strip("/")), PRIVATE, {"Retry-After": "7"})


@pytest.fixture(scope="module")
def server():
    with WebServer(answer).running() as running:
        yield running


@pytest.fixture
def web():
    opened = Web(Networks(), silence_seconds=5, total_seconds=20)
    yield opened
    opened.close()


async def test_a_file_is_fetched(web, server):
    fetched = await web.fetch(f"{server.url}/index.yaml", limit=100)
    assert (fetched.content, fetched.entity_tag) == (CONTENT, '"one"')


async def test_a_file_that_did_not_change_is_not_fetched_again(web, server):
    assert await web.fetch(f"{server.url}/index.yaml", limit=100, entity_tag='"one"') is None


async def test_a_file_goes_to_disk_with_its_digest(web, server, tmp_path):
    answer = await web.send(Request(url=f"{server.url}/index.yaml", limit=100, into=tmp_path / "x"))
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert answer.content == b""
    assert answer.digest == f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


async def test_a_file_over_the_limit_is_refused(web, server):
    with pytest.raises(Invalid, match="over 5 bytes") as raised:
        await web.fetch(f"{server.url}/index.yaml", limit=5)
    assert raised.value.reason == "SourceTooLarge"


@pytest.mark.parametrize(
    ("status", "error", "reason", "text"),
    [
        (404, Invalid, "SourceNotFound", r"does not exist \(404\)"),
        (401, Denied, "SourceDenied", r"not for us \(401\)"),
        (403, Denied, "SourceDenied", r"not for us \(403\)"),
        (429, Throttled, "SourceThrottled", "fewer requests"),
        (500, Transient, "SourceUnreachable", "status 500"),
        (503, Transient, "SourceUnreachable", "status 503"),
    ],
)
async def test_a_failure_has_a_meaning_and_repeats_nothing_of_the_answer(
    web, server, status, error, reason, text
):
    with pytest.raises(error, match=text) as raised:
        await web.fetch(f"{server.url}/{status}", limit=100)
    assert raised.value.reason == reason
    assert "hunter2" not in str(raised.value)
    if error is Throttled:
        assert raised.value.after == 7


async def test_an_answer_that_breaks_off_is_transient(web, server):
    with pytest.raises(Transient, match="broke its answer off"):
        await web.fetch(f"{server.url}/cut", limit=100)


async def test_a_server_that_is_not_there_is_transient(web, unused_tcp_port):
    with pytest.raises(Transient, match="the connection is refused"):
        await web.fetch(f"http://127.0.0.1:{unused_tcp_port}/index.yaml", limit=100)


async def test_a_name_that_nobody_knows_is_told(server):
    def unknown(_host, _port):
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    web = Web(Networks(resolve=unknown))
    with pytest.raises(
        Transient, match=r"http://charts\.example\.com/x has a host name that does not resolve"
    ):
        await web.fetch("http://charts.example.com/x", limit=100)
    web.close()


@pytest.mark.parametrize("speaks", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome"])
async def test_a_server_that_says_no_more_is_left_and_its_thread_is_free(speaks):
    listening = socket.create_server(("127.0.0.1", 0))
    held = []

    def accept():
        connection, _ = listening.accept()
        connection.sendall(speaks)
        held.append(connection)

    threading.Thread(target=accept, daemon=True).start()
    web = Web(Networks(), threads=1, silence_seconds=60, total_seconds=0.5)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
    with pytest.raises(Transient, match=r"did not answer completely within 0\.5s"):
        await web.fetch(url, limit=1000)
    listening.close()
    # The one thread would be busy for a minute, had the exchange not been ended under it.
    with pytest.raises(Transient, match="refused"):
        await Web.fetch(web, url, limit=1000)
    web.close()


async def test_a_server_that_is_silent_is_named(web):
    listening = socket.create_server(("127.0.0.1", 0))
    quick = Web(Networks(), silence_seconds=0.2)
    with pytest.raises(Transient, match=r"did not answer within 0\.2s"):
        await quick.fetch(f"http://127.0.0.1:{listening.getsockname()[1]}/", limit=10)
    quick.close()
    listening.close()


# Redirects


async def test_redirects_end(web, server):
    with pytest.raises(Invalid, match="redirects too often"):
        await web.fetch(f"{server.url}/round", limit=100)


async def test_credentials_do_not_follow_a_redirect_to_another_host(web, server):
    with WebServer(lambda _: Reply(200, CONTENT)).running() as other:
        url = f"{server.url}/away?{other.url}/index.yaml"
        fetched = await web.fetch(url, limit=100, authorization="Basic aHVudGVyMg==")
        assert fetched.content == CONTENT
        assert server.requests[-1].headers["authorization"] == "Basic aHVudGVyMg=="
        assert "authorization" not in other.requests[-1].headers


async def test_credentials_follow_a_redirect_on_the_same_host(web, server):
    await web.fetch(f"{server.url}/away?/index.yaml", limit=100, authorization="Basic x")
    assert server.requests[-1].headers["authorization"] == "Basic x"


@pytest.mark.parametrize("target", ["ftp://example.com/x", "file:///etc/passwd"])
async def test_a_redirect_to_another_protocol_is_refused(web, server, target):
    with pytest.raises(Invalid, match="not https"):
        await web.fetch(f"{server.url}/away?{target}", limit=100)


# Addresses


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "[::1]",
        "[fd00:ec2::254]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "[fe80::1]",
        "2852039166",
        "0x7f.1",
    ],
)
async def test_the_operators_own_host_and_the_clouds_metadata_are_no_sources(host):
    web = Web(OFF)
    with pytest.raises((Denied, Transient)) as raised:
        await web.fetch(f"http://{host}/latest/meta-data", limit=100)
    web.close()
    assert raised.value.reason in {"SourceAddressRefused", "SourceUnreachable"}
    assert "does not resolve" in str(raised.value) or "refused_source_networks" in str(raised.value)


def test_a_setting_that_is_no_network_is_refused_at_the_start():
    with pytest.raises(ValidationError, match="does not appear to be an IPv4 or IPv6 network"):
        Settings(refused_source_networks=("10.0.0.0/33",))


async def test_a_name_and_a_redirect_lead_to_no_refused_address_either(server):
    def lying(host, port):
        where = "127.0.0.1" if host == "charts.example.com" else "169.254.169.254"
        return [(socket.AF_INET, where, server.port if where == "127.0.0.1" else port)]

    web = Web(Networks(["169.254.0.0/16"], resolve=lying))
    with pytest.raises(Denied) as raised:
        await web.fetch("http://charts.example.com/away?http://metadata.example.com/", limit=100)
    web.close()
    assert str(raised.value).startswith("http://metadata.example.com/ is at an address")


# TLS


async def test_a_private_authority_is_trusted_when_given_and_named_when_not(web, tmp_path):
    context, certificate = authority(tmp_path)
    with WebServer(lambda _: Reply(200, CONTENT), context).running() as secure:
        with pytest.raises(Invalid, match=r"not trusted .*ca\.crt") as raised:
            await web.fetch(f"{secure.url}/x", limit=100)
        assert raised.value.reason == "SourceUntrusted"
        fetched = await web.fetch(f"{secure.url}/x", limit=100, trust=certificate)
        assert fetched.content == CONTENT
        with pytest.raises(Invalid, match="no PEM certificate"):
            await web.fetch(f"{secure.url}/x", limit=100, trust="nonsense")


async def test_a_client_certificate_is_shown_to_its_own_host_alone(web, tmp_path):
    context, secret = proving(tmp_path)
    given = {"trust": secret["ca.crt"], "limit": 100}
    proof = (secret["tls.crt"], secret["tls.key"])
    with WebServer(lambda _: Reply(200, CONTENT), context).running() as asking:
        fetched = await web.fetch(f"{asking.url}/x", certificate=proof, **given)
        assert fetched.content == CONTENT
        with pytest.raises(Transient):
            await web.fetch(f"{asking.url}/x", **given)
        elsewhere = WebServer(lambda _: Reply(302, headers={"Location": f"{asking.url}/x"}))
        with elsewhere.running(), pytest.raises(Transient):
            await web.fetch(f"{elsewhere.url}/x", certificate=proof, **given)
        with pytest.raises(Invalid, match="no certificate and its private key") as raised:
            await web.fetch(f"{asking.url}/x", certificate=(secret["tls.crt"], "nonsense"), **given)
        assert raised.value.reason == "InvalidCertificate"


async def test_what_is_not_tls_is_told(web, server):
    with pytest.raises(Transient, match="does not speak TLS"):
        await web.fetch(f"https://{server.host}/x", limit=100)


async def test_credentials_in_an_address_are_sent_and_not_shown(web, server):
    with pytest.raises(Denied) as raised:
        await web.fetch(f"http://user:hunter2@{server.host}/401?token=hunter2", limit=100)
    assert "hunter2" not in str(raised.value)
    assert server.requests[-1].headers["authorization"] == "Basic dXNlcjpodW50ZXIy"
    assert shown("https://u:p@example.com:8443/a?b#c") == "https://example.com:8443/a"
