"""Faults of the wire, made by a proxy in front of the real API server."""

import asyncio
import ssl

import pytest

from pierhead.engine.outcome import Throttled
from pierhead.kube import errors
from pierhead.kube.client import Client
from pierhead.kube.credentials import Credentials
from pierhead.kube.resources import CONFIG_MAPS
from pierhead.kube.watch import Watch
from support.objects import config_map
from support.proxy import status_body
from support.waiting import eventually


class Counts:
    def __init__(self):
        self.seen = []

    def observe_request(self, *, code, method, host, seconds):
        assert seconds >= 0
        self.seen.append((code, method, host))


async def test_a_short_throttle_is_waited_out(client, proxy, namespace):
    fault = proxy.fail(
        verb="patch", status=429, body=status_body(429, "TooManyRequests"), headers={"Retry-After": "0"}
    )
    await client.apply(CONFIG_MAPS, config_map("a", namespace))
    assert fault.hits == 1
    assert proxy.count("patch") == 2


async def test_a_long_throttle_is_the_engines_to_wait_out(client, proxy, namespace):
    proxy.fail(verb="get", status=429, body=status_body(429, "TooManyRequests"), headers={"Retry-After": "7"})
    with pytest.raises(errors.TooManyRequests) as caught:
        await client.get(CONFIG_MAPS, "a", namespace)
    assert caught.value.after == 7
    assert isinstance(caught.value, Throttled)
    assert len(proxy.requests) == 1


async def test_a_throttle_that_goes_on_is_told(client, proxy, namespace):
    proxy.fail(verb="get", times=None, status=429, headers={"Retry-After": "0"})
    with pytest.raises(errors.TooManyRequests):
        await client.get(CONFIG_MAPS, "a", namespace)
    assert len(proxy.requests) == 3


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_is_transient_and_not_repeated(client, proxy, namespace, status):
    proxy.fail(status=status)
    with pytest.raises(errors.ServerError, match="made by the test") as caught:
        await client.get(CONFIG_MAPS, "a", namespace)
    assert caught.value.code == status
    assert len(proxy.requests) == 1


async def test_an_answer_that_is_not_json_is_no_answer(client, proxy, namespace):
    proxy.fail(status=200)
    with pytest.raises(errors.Unreachable, match="not JSON"):
        await client.get(CONFIG_MAPS, "a", namespace)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_apply_survives_a_cut_connection(client, proxy, namespace, when):
    proxy.fail(method="PATCH", when=when)
    applied = await client.apply_answer(CONFIG_MAPS, config_map("a", namespace, key="1"))
    assert applied.object["data"] == {"key": "1"}
    assert proxy.count("patch") == 2


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_create_is_sent_once_whatever_happens(client, proxy, namespace, when, kube):
    proxy.fail(method="POST", when=when)
    with pytest.raises(errors.Unreachable):
        await client.create(CONFIG_MAPS, config_map("once", namespace))
    assert proxy.count("create") == 1
    made = [item async for page in kube.pages(CONFIG_MAPS, namespace) for item in page.items]
    assert ("once" in [item["metadata"]["name"] for item in made]) == (when == "after")


async def test_a_json_patch_is_sent_once_whatever_happens(client, proxy, namespace):
    await client.create(CONFIG_MAPS, config_map("a", namespace))
    proxy.fail(method="PATCH", when="after")
    with pytest.raises(errors.Unreachable):
        await client.json_patch(
            CONFIG_MAPS, "a", namespace, [{"op": "add", "path": "/data", "value": {"a": "b"}}]
        )
    assert proxy.count("patch") == 1


async def test_a_silent_server_is_given_up(proxy, namespace):
    async def hang(_request):
        await asyncio.sleep(3)

    client = await Client.connect(proxy.credentials, read_timeout=0.2)
    proxy.fail(action=hang)
    with pytest.raises(errors.Unreachable):
        await client.get(CONFIG_MAPS, "a", namespace)
    await client.close()


async def test_nobody_listening_is_unreachable(namespace):
    client = await Client.connect(Credentials(server="https://127.0.0.1:1"))
    with pytest.raises(errors.Unreachable, match="no answer from the API server"):
        await client.get(CONFIG_MAPS, "a", namespace)
    await client.close()


async def test_a_server_with_another_ca_is_not_trusted(sandbox, namespace):
    client = await Client.connect(Credentials(server=sandbox.server))
    with pytest.raises(errors.Unreachable, match=r"(?i)certificate"):
        await client.get(CONFIG_MAPS, "a", namespace)
    await client.close()


async def test_a_rotated_token_is_read_again_on_401(sandbox, namespace, tmp_path):
    token = sandbox.service_account_token(namespace, "default")
    file = tmp_path / "token"
    file.write_text("expired")
    client = await Client.connect(
        Credentials(server=sandbox.server, ca_file=sandbox.ca_file, token_file=file)
    )
    with pytest.raises(errors.Unauthorized):
        await client.get(CONFIG_MAPS, "a", namespace)
    file.write_text(token)
    with pytest.raises(errors.Forbidden, match=f"{namespace}:default"):
        await client.get(CONFIG_MAPS, "a", namespace)
    await client.close()


async def test_an_expired_continue_token_begins_the_list_again(client, proxy, namespace):
    for number in range(5):
        await client.create(CONFIG_MAPS, config_map(f"m{number}", namespace, {"set": "x"}))
    gone = proxy.fail(
        verb="get",
        matches=lambda request: "continue" in request.query,
        status=410,
        body=status_body(410, "Expired"),
    )
    pages = [page async for page in client.pages(CONFIG_MAPS, namespace, label_selector="set=x", page_size=2)]
    assert gone.hits == 1
    assert [page.first for page in pages] == [True, True, False, False]
    names = [item["metadata"]["name"] for page in pages[1:] for item in page.items]
    assert names == [f"m{number}" for number in range(5)]


async def test_a_list_that_keeps_expiring_ends_unpaged(client, proxy, namespace):
    for number in range(5):
        await client.create(CONFIG_MAPS, config_map(f"m{number}", namespace, {"set": "x"}))
    proxy.fail(times=None, matches=lambda request: "continue" in request.query, status=410)
    pages = [page async for page in client.pages(CONFIG_MAPS, namespace, label_selector="set=x", page_size=2)]
    assert pages[-1].first
    assert pages[-1].last
    assert len(pages[-1].items) == 5


async def test_requests_are_counted_by_code_method_and_host(proxy, namespace):
    counts = Counts()
    client = await Client.connect(proxy.credentials, metrics=counts)
    with pytest.raises(errors.NotFound):
        await client.get(CONFIG_MAPS, "a", namespace)
    await client.create(CONFIG_MAPS, config_map("a", namespace))
    proxy.fail(method="POST")
    with pytest.raises(errors.Unreachable):
        await client.create(CONFIG_MAPS, config_map("b", namespace))
    host = proxy.url.removeprefix("http://")
    assert counts.seen == [("404", "GET", host), ("201", "POST", host), ("<error>", "POST", host)]
    await client.close()


async def test_requests_never_use_more_connections_than_given(proxy, namespace):
    open_now, most = 0, 0

    async def count(_request):
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.01)
        open_now -= 1

    client = await Client.connect(proxy.credentials, connections=3)
    proxy.fail(action=count, passes=True, times=None)
    await asyncio.gather(
        *(client.apply(CONFIG_MAPS, config_map(f"m{number}", namespace)) for number in range(20))
    )
    assert most == 3
    await client.close()


async def test_the_clusters_own_ca_is_not_held_to_the_strict_profile(sandbox):
    context = Credentials(server=sandbox.server, ca_file=sandbox.ca_file).ssl_context()
    assert not context.verify_flags & ssl.VERIFY_X509_STRICT
    assert context.verify_mode == ssl.CERT_REQUIRED


async def test_watches_leave_requests_their_connections_and_say_when_there_are_too_many(proxy, namespace):
    client = await Client.connect(proxy.credentials, connections=1, streams=2, connect_timeout=0.2)
    watches = [Watch(client, CONFIG_MAPS, lambda *_: None, namespace=namespace) for _ in range(3)]
    tasks = [asyncio.create_task(watch.run()) for watch in watches]
    await asyncio.gather(*(watch.ready() for watch in watches))
    await eventually(lambda: any(watch.error for watch in watches))
    (error,) = [watch.error for watch in watches if watch.error]
    assert "all 2 streams are in use" in str(error)
    await client.apply(CONFIG_MAPS, config_map("a", namespace))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await client.close()
