"""SyncedSecret's main job: values arrive, follow, and cost what they should."""

from pierhead.kube.resources import SECRETS, SYNCED_SECRETS
from support.secrets_lab import Lab, condition, key_of, values


async def test_values_arrive_with_three_requests(lab: Lab) -> None:
    version = lab.secret("db", '{"password": "pw", "port": 5432, "ratio": 1.10}')
    env = lab.secret("env", "A=1\nexport B='two words'\n")
    lab.secret("blob", b"\x00\xff")
    await lab.synced_secret(
        "shop-db",
        data=lab.data(("PASSWORD", "db", "password"), ("RATIO", "db", "ratio"), ("BLOB", "blob")),
        dataFrom=[{"extract": {"secret": lab.aws_name("env"), "format": "dotenv"}}],
    )
    operator = await lab.operator()
    obj = await lab.ready("shop-db")
    secret = await lab.holds("shop-db", PASSWORD="pw", RATIO="1.10", BLOB=b"\x00\xff", A="1", B="two words")

    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == (
        "SyncedSecret",
        obj["metadata"]["uid"],
        True,
    )
    assert secret["type"] == "Opaque"
    assert obj["status"]["keys"] == [
        {"key": "PASSWORD", "versionId": version},
        {"key": "RATIO", "versionId": version},
        {"key": "BLOB", "versionId": obj["status"]["keys"][2]["versionId"]},
    ]
    assert obj["status"]["extracts"] == [{"secret": lab.aws_name("env"), "keys": 2, "versionId": env}]
    assert obj["status"]["keyCount"] == 5
    assert condition(obj, "Ready")["message"] == "5 keys from 3 secrets"
    assert lab.writes(operator) == ["PATCH secrets", "PATCH syncedsecrets/status"]
    counts = lab.sandbox.request_counts(operator.user_agent)
    gets = [kind for kind in counts if kind.verb == "get" and kind.resource == "secrets"]
    assert [counts[kind] for kind in gets] == [1]
    assert lab.reads() == {"BatchGetSecretValue": 1}


async def test_a_settled_object_costs_nothing(lab: Lab) -> None:
    lab.secret("db", "pw")
    await lab.synced_secret("shop-db", data=lab.data(("PASSWORD", "db")))
    operator = await lab.operator()
    obj = await lab.ready("shop-db")
    lab.aws.clear_calls()
    operator.writes.clear()
    for _ in range(3):
        operator.controller.wake(key_of(obj))
        await operator.controller._relist()
    await lab.synced_secret("fence", data=lab.data(("PASSWORD", "db")))
    await lab.ready("fence")

    assert lab.writes(operator) == ["PATCH secrets", "PATCH syncedsecrets/status"]
    assert lab.reads() == {"GetSecretValue": 1}


async def test_a_poll_that_finds_nothing_new_writes_nothing(lab: Lab) -> None:
    lab.secret("db", "pw")
    await lab.synced_secret("shop-db", data=lab.data(("PASSWORD", "db")), refresh={"interval": "1s"})
    operator = await lab.operator()
    await lab.ready("shop-db")
    operator.writes.clear()
    lab.aws.clear_calls()
    await lab.polled(3)

    assert operator.writes == []


async def test_a_rotation_arrives_at_the_next_poll(lab: Lab) -> None:
    lab.secret("db", '{"password": "old", "host": "h"}')
    await lab.synced_secret(
        "shop-db",
        data=lab.data(("PASSWORD", "db", "password"), ("HOST", "db", "host")),
        refresh={"interval": "1s"},
    )
    operator = await lab.operator()
    await lab.holds("shop-db", PASSWORD="old", HOST="h")
    await lab.ready("shop-db")
    operator.writes.clear()
    version = lab.secret("db", '{"password": "new", "host": "h"}')
    await lab.holds("shop-db", PASSWORD="new", HOST="h")
    obj = await lab.until(
        SYNCED_SECRETS,
        "shop-db",
        lambda obj: obj if obj["status"]["keys"][0]["versionId"] == version else None,
    )

    assert obj["status"]["keys"][1]["versionId"] == version
    assert lab.writes(operator) == ["PATCH secrets", "PATCH syncedsecrets/status"]


async def test_a_restarted_operator_reads_once_and_writes_nothing(lab: Lab) -> None:
    for number in range(12):
        lab.secret(f"s{number}", "x")
        await lab.synced_secret(f"s{number}", data=lab.data(("K", f"s{number}")))
    first = await lab.operator()
    for number in range(12):
        await lab.ready(f"s{number}")
    await first.stop()
    lab.aws.clear_calls()
    second = await lab.operator()
    await lab.polled(1)
    await lab.synced_secret("fence", data=lab.data(("K", "s0")))
    await lab.ready("fence")

    assert lab.writes(second) == ["PATCH secrets", "PATCH syncedsecrets/status"]
    assert sum(lab.reads().values()) <= 5


async def test_objects_that_read_the_same_secret_share_the_read(lab: Lab) -> None:
    """There are five times as many as workers, so most of them begin after the answer has come."""
    lab.secret("shared", '{"a": 1, "b": 2}')
    for number in range(40):
        await lab.synced_secret(f"s{number}", data=lab.data(("A", "shared", "a"), ("B", "shared", "b")))
    await lab.operator()
    for number in range(40):
        await lab.ready(f"s{number}")

    assert lab.reads() == {"GetSecretValue": 1}


async def test_a_key_that_leaves_the_spec_leaves_the_secret(lab: Lab) -> None:
    lab.secret("db", "pw")
    await lab.synced_secret("shop-db", data=lab.data(("A", "db"), ("B", "db")))
    await lab.operator()
    await lab.holds("shop-db", A="pw", B="pw")
    await lab.synced_secret("shop-db", data=lab.data(("A", "db")))
    await lab.holds("shop-db", A="pw")

    assert (await lab.ready("shop-db"))["status"]["keyCount"] == 1


async def test_versions_by_stage_and_by_id(lab: Lab) -> None:
    first = lab.secret("db", "one")
    lab.secret("db", "two")
    name = lab.aws_name("db")
    await lab.synced_secret(
        "shop-db",
        data=[
            {"key": "NOW", "from": {"secret": name}},
            {"key": "PREVIOUS", "from": {"secret": name, "versionStage": "AWSPREVIOUS"}},
            {"key": "PINNED", "from": {"secret": name, "versionId": first}},
        ],
    )
    await lab.operator()
    await lab.holds("shop-db", NOW="two", PREVIOUS="one", PINNED="one")


async def test_another_target_replaces_the_former_one(lab: Lab) -> None:
    lab.secret("db", "pw")
    await lab.synced_secret("shop-db", data=lab.data(("A", "db")))
    await lab.operator()
    await lab.holds("shop-db", A="pw")
    await lab.synced_secret("shop-db", data=lab.data(("A", "db")), target={"name": "renamed"})
    await lab.holds("renamed", A="pw")
    await lab.until(SECRETS, "shop-db", lambda obj: obj is None)

    assert (await lab.ready("shop-db"))["status"]["target"]["name"] == "renamed"


async def test_a_target_of_which_no_status_tells_is_replaced_too(lab: Lab) -> None:
    """The operator dies between the write of the Secret and its report, and then the target is renamed."""
    lab.secret("db", "pw")
    await lab.synced_secret("shop-db", data=lab.data(("A", "db")))
    dying = await lab.operator(crash_at=(0, "after"))
    await dying.crashed.wait()
    await dying.stop()
    await lab.holds("shop-db", A="pw")
    await lab.synced_secret("shop-db", data=lab.data(("A", "db")), target={"name": "renamed"})
    await lab.operator()
    await lab.holds("renamed", A="pw")
    await lab.until(SECRETS, "shop-db", lambda obj: obj is None)


async def test_another_type_makes_the_secret_anew(lab: Lab) -> None:
    lab.secret("db", "pw")
    await lab.synced_secret("shop-db", data=lab.data(("A", "db")))
    await lab.operator()
    before = await lab.holds("shop-db", A="pw")
    await lab.synced_secret("shop-db", data=lab.data(("A", "db")), target={"type": "example.com/own"})
    after = await lab.until(
        SECRETS, "shop-db", lambda obj: obj if obj and obj["type"] == "example.com/own" else None
    )

    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert values(after) == {"A": b"pw"}
    assert (await lab.ready("shop-db"))["status"]["target"]["type"] == "example.com/own"


async def test_the_secret_goes_with_its_owner(lab: Lab) -> None:
    lab.secret("db", "pw")
    await lab.synced_secret("shop-db", data=lab.data(("A", "db")))
    operator = await lab.operator()
    await lab.ready("shop-db")
    operator.writes.clear()
    await lab.kube.delete(SYNCED_SECRETS, "shop-db", lab.namespace)
    # The garbage collector looks for new kinds every 30 s.
    await lab.until(SECRETS, "shop-db", lambda obj: obj is None, within=60)

    assert operator.writes == []


async def test_a_suspended_object_is_left_alone(lab: Lab) -> None:
    lab.secret("db", "pw")
    spec = {"data": lab.data(("A", "db")), "refresh": {"interval": "1s"}}
    await lab.synced_secret("shop-db", **spec)
    await lab.operator()
    await lab.ready("shop-db")
    await lab.synced_secret("shop-db", **spec, suspend=True)
    obj = await lab.until(SYNCED_SECRETS, "shop-db", lambda obj: obj if condition(obj, "Suspended") else None)
    assert condition(obj, "Ready")["status"] == "True"
    lab.aws.clear_calls()
    lab.secret("db", "new")
    await lab.kube.delete(SECRETS, "shop-db", lab.namespace)
    await lab.synced_secret("fence", data=lab.data(("A", "db")))
    await lab.ready("fence")
    assert lab.now(SECRETS, "shop-db") is None
    assert sum(lab.reads().values()) == 1
    await lab.synced_secret("shop-db", **spec)
    await lab.holds("shop-db", A="new")
    obj = await lab.ready("shop-db")
    assert condition(obj, "Suspended") is None


async def test_once_is_read_again_only_when_asked(lab: Lab) -> None:
    lab.secret("db", "old")
    spec = {"data": lab.data(("A", "db")), "refresh": {"mode": "Once"}}
    await lab.synced_secret("shop-db", **spec)
    first = await lab.operator()
    await lab.ready("shop-db")
    await first.stop()
    lab.secret("db", "new")
    lab.aws.clear_calls()
    second = await lab.operator()
    await lab.synced_secret("fence", data=lab.data(("A", "db")))
    await lab.ready("fence")
    assert sum(lab.reads().values()) == 1
    assert values(lab.now(SECRETS, "shop-db")) == {"A": b"old"}
    await lab.synced_secret("shop-db", annotations={"pierhead.dev/reconcile-at": "now"}, **spec)
    await lab.holds("shop-db", A="new")
    obj = await lab.until(
        SYNCED_SECRETS, "shop-db", lambda obj: obj if obj["status"].get("reconcileAt") == "now" else None
    )
    second.writes.clear()
    lab.aws.clear_calls()
    second.controller.wake(key_of(obj))
    await lab.synced_secret("fence2", data=lab.data(("A", "db")))
    await lab.ready("fence2")
    assert sum(lab.reads().values()) == 1


async def test_a_sweep_of_versions_reads_only_what_moved(lab: Lab) -> None:
    names = ("a", "b", "c")
    for name in names:
        lab.secret(name, "old")
        await lab.synced_secret(
            name, data=lab.data(("K", name)), refresh={"interval": "1s", "versionSweep": True}
        )
    operator = await lab.operator()
    for name in names:
        await lab.ready(name)
    lab.aws.clear_calls()
    operator.writes.clear()
    lab.secret("b", "new")
    await lab.holds("b", K="new")

    assert sum(lab.reads().values()) == 1
    assert lab.aws.count("secretsmanager", "ListSecrets") >= 1
    assert lab.writes(operator).count("PATCH secrets") == 1
