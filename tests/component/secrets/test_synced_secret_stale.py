"""AWS away for long: the data stays, and that it is old is told once."""

from pierhead.kube.resources import SYNCED_SECRETS
from pierhead_sandbox.aws.protocol import Fault
from support.secrets_lab import Lab, condition

SETTINGS = {"secret_stale_seconds": 1, "secret_stale_intervals": 1}
READS = ("GetSecretValue", "BatchGetSecretValue")


async def test_an_outage_keeps_the_data_and_is_told_once_and_across_processes(lab: Lab) -> None:
    lab.secret("db", "pw")
    await lab.synced_secret("shop-db", data=lab.data(("PW", "db")), refresh={"interval": "1s"})
    first = await lab.operator(**SETTINGS)
    await lab.holds("shop-db", PW="pw")
    await lab.ready("shop-db")
    for operation in READS:
        lab.aws.add_fault(Fault(service="secretsmanager", operation=operation, status=503))

    def stale(obj: dict | None) -> dict | None:
        return condition(obj, "Stale") if obj else None

    told = await lab.until(SYNCED_SECRETS, "shop-db", stale)
    assert (told["status"], told["reason"]) == ("True", "ReadsFail")
    first.writes.clear()
    await lab.polled(7)
    assert lab.writes(first) == []
    assert (
        f'oldest_read_age_seconds{{object_namespace="{lab.namespace}"}}'
        in first.metrics.exposition().decode()
    )

    await first.stop()
    second = await lab.operator(**SETTINGS)
    await lab.polled(7)
    assert lab.writes(second) == []
    assert stale(lab.now(SYNCED_SECRETS, "shop-db")) == told
    await lab.holds("shop-db", PW="pw")

    lab.aws.remove_fault()
    await lab.ready("shop-db")
    assert stale(lab.now(SYNCED_SECRETS, "shop-db")) is None
