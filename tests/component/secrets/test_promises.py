"""Promises that only a whole run shows; docs/security.md has all of them."""

from pierhead.kube.resources import DEPLOYMENTS
from support.secrets_lab import Lab


async def test_all_requests_for_an_object_are_in_its_namespace(lab: Lab) -> None:
    lab.secret("db", '{"user": "shop", "password": "pw"}')
    await lab.deployment("shop")
    spec = {
        "data": lab.data(("USER", "db", "user"), ("PASSWORD", "db", "password")),
        "template": {"data": {"URL": "db://{{ USER }}:{{ PASSWORD }}@db"}},
        "target": {"name": "shop-db-url"},
        "restart": [{"kind": "Deployment", "name": "shop"}],
    }
    await lab.synced_secret("shop-db", **spec)
    operator = await lab.operator()
    await lab.holds("shop-db-url", URL="db://shop:pw@db")
    await lab.ready("shop-db")
    lab.secret("db", '{"user": "shop", "password": "changed"}')
    await lab.synced_secret("shop-db", annotations={"pierhead.dev/reconcile-at": "1"}, **spec)
    await lab.holds("shop-db-url", URL="db://shop:changed@db")
    await lab.until(DEPLOYMENTS, "shop", lambda obj: obj["metadata"]["generation"] > 1)

    asked = [event["objectRef"] for event in lab.sandbox.audit_events(operator.user_agent)]
    assert {"secrets", "syncedsecrets", "deployments"} <= {one["resource"] for one in asked}
    assert {one.get("namespace") for one in asked} == {lab.namespace}
