"""`pierhead app …` as a process, against a running controller."""

import base64
import json

from pierhead.cli.conditions import is_current
from pierhead.kube.resources import CONFIG_MAPS
from support.app_sources import GitRepository, chart_files
from support.releases import because, condition, config_map, deployment, inline
from support.renders import write_tree


def of_chart(greeting: str = "hello", **files: str) -> dict:
    return {
        "source": {"inline": {"files": chart_files() | files}},
        "helm": {"values": {"greeting": greeting}},
    }


async def test_a_release_is_listed_shown_and_has_a_history(controller, releases, pierhead, tenant):
    notes = {"templates/NOTES.txt": "Greet with {{ .Values.greeting }}; the password is correct horse.\n"}
    keys = {"templates/keys.yaml": "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\n"}
    keys["templates/keys.yaml"] += "stringData: {password: correct horse}\n"
    await releases.apply(of_chart("one", **notes, **keys))
    await releases.until()
    await releases.apply(of_chart("two", **notes, **keys))
    await releases.until(lambda obj: condition(obj)["status"] == "True" and revision(obj) == 2)
    (line,) = (await pierhead("list", "-o", "json")).json
    assert {key: line[key] for key in ("namespace", "name", "ready", "reason", "revision", "chart")} == {
        "namespace": tenant,
        "name": "shop",
        "ready": "True",
        "reason": "Deployed",
        "revision": 2,
        "chart": ".",
    }
    shown = await pierhead("list")
    assert shown.output.splitlines()[1].split()[:3] == ["shop", "True", "2"]
    assert "\t" not in shown.output
    assert "\x1b" not in shown.output
    got = (await pierhead("get", "shop", "-o", "json")).json
    assert got["notes"] == "Greet with two; the password is ***.\n"
    assert {entry["type"] for entry in got["conditions"]} >= {"Ready", "Healthy", "SourceReady"}
    assert "correct horse" not in (await pierhead("get", "shop")).output
    history = (await pierhead("history", "shop", "-o", "json")).json
    assert [(entry["revision"], entry["status"], entry["by"]) for entry in history] == [
        (1, "superseded", "pierhead"),
        (2, "deployed", "pierhead"),
    ]
    missing = await pierhead("get", "none")
    assert (missing.code, missing.output) == (1, "")
    assert missing.errors == f"error: there is no AppRelease none in namespace {tenant}\n"


def revision(obj) -> int:
    return obj["status"]["release"]["revision"]


async def test_reconcile_waits_for_what_the_look_finds(controller, releases, pierhead, tmp_path):
    repository = GitRepository(tmp_path / "repository")
    repository.commit({"app.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}'})
    await releases.apply({"source": repository.source(branch="main"), "interval": "1h"})
    await releases.until()
    commit = repository.commit({"README": "nothing that is rendered"})
    done = await pierhead("reconcile", "shop")
    assert done.code == 0, done.errors
    assert (await releases.get())["status"]["source"]["revision"] == f"main@{commit}"
    repository.commit({"app.json": "no object"})
    failed = await pierhead("reconcile", "shop")
    assert failed.code == 4
    assert "is not Ready" in failed.errors
    await pierhead("suspend", "shop")
    assert "resume" in (await pierhead("reconcile", "shop")).errors


async def test_a_suspended_release_is_left_alone_until_it_is_resumed(controller, releases, pierhead):
    await releases.apply({"source": inline(config_map(a="1"))})
    await releases.until()
    assert (await pierhead("suspend", "shop")).code == 0
    await releases.until(because("Suspended"))
    resumed = await pierhead("resume", "shop")
    assert resumed.code == 0, resumed.errors
    obj = await releases.get()
    assert "suspend" not in obj["spec"]
    assert condition(obj)["status"] == "True"


async def test_a_rollback_goes_to_the_revision_before_and_is_kept(controller, releases, pierhead):
    for value in ("1", "2"):
        await releases.apply({"source": inline(config_map(a=value))})
        await releases.until(lambda obj: condition(obj)["status"] == "True" and is_current(obj))
    refused = await pierhead("rollback", "shop", "7")
    assert refused.errors == "error: there is no revision 7; kept are 1, 2\n"
    done = await pierhead("rollback", "shop")
    assert (done.code, done.output) == (0, "AppRelease shop: revision 3 is revision 1 again\n"), done.errors
    assert (await releases.object(CONFIG_MAPS, "one"))["data"] == {"a": "1"}
    assert await releases.statuses() == ["superseded", "superseded", "deployed"]
    history = (await pierhead("history", "shop", "-o", "json")).json
    assert [entry["rollsBack"] for entry in history] == [None, None, 1]


async def test_waiting_ends_with_its_own_code(releases, pierhead):
    """Without a controller nothing ever comes of it."""
    await releases.apply({"source": inline(config_map())})
    late = await pierhead("reconcile", "shop", "--timeout", "1s")
    assert late.code == 3
    assert "did not get there within 1s" in late.errors
    assert (await pierhead("reconcile", "shop", "--no-wait")).code == 0
    assert (await pierhead("reconcile", "shop", "--timeout", "soon")).code == 2


async def test_a_tree_goes_down_to_the_pods(controller, releases, pierhead):
    await releases.apply({"source": inline(config_map(), deployment())})
    await releases.until()
    found = (await pierhead("tree", "shop", "-o", "json")).json
    assert (found["kind"], found["health"]) == ("AppRelease", "Current")
    children = {child["kind"]: child for child in found["children"]}
    (replica_set,) = children["Deployment"]["children"]
    (pod,) = replica_set["children"]
    assert (replica_set["kind"], pod["kind"], pod["health"]) == ("ReplicaSet", "Pod", "Current")
    assert children["ConfigMap"] == {**children["ConfigMap"], "health": "Current", "children": []}
    lines = (await pierhead("tree", "shop")).output.splitlines()
    assert lines[0].startswith("AppRelease/shop  Current  Deployed:")
    assert any(line.startswith("   └─ ReplicaSet/web-") for line in lines)


def secret(password: str) -> dict:
    value = base64.b64encode(password.encode()).decode()
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": {"password": value}}


async def test_a_diff_shows_what_an_apply_would_change_and_changes_nothing(
    controller, releases, pierhead, tmp_path
):
    used = config_map("used", by="correct horse")
    await releases.apply(
        {"source": inline(config_map(a="1"), config_map("old"), secret("correct horse"), used)}
    )
    before = await releases.until()
    same = await pierhead("diff", "shop", "--exit-code")
    assert (same.code, same.output) == (0, "")
    wanted = {**before, "metadata": {"name": "shop"}, "status": None}
    changed = config_map("used", by="battery staple", also="correct horse")
    wanted["spec"] = {
        "source": inline(config_map(a="2"), config_map("new"), secret("battery staple"), changed)
    }
    file = tmp_path / "shop.json"
    file.write_text(json.dumps(wanted))
    found = (await pierhead("diff", "shop", "-f", str(file), "-o", "json")).json
    labels = {change["object"].split("/")[1]: change for change in found}
    assert {name: change["action"] for name, change in labels.items()} == {
        "one": "Update",
        "new": "Create",
        "keys": "Update",
        "used": "Update",
        "old": "Delete",
    }
    assert "-  a: '1'\n+  a: '2'" in labels["one"]["diff"]
    assert "+  password: '*** (after)'" in labels["keys"]["diff"]
    assert "+  also: ***\n" in labels["used"]["diff"]
    text = await pierhead("diff", "shop", "-f", str(file), "--exit-code")
    assert text.code == 5
    for hidden in ("correct horse", "battery staple"):
        assert hidden not in text.output
        assert base64.b64encode(hidden.encode()).decode() not in text.output
    assert await releases.exists(CONFIG_MAPS, "old")
    assert (await releases.get())["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]


async def test_what_the_api_server_refuses_fails_the_diff(controller, releases, pierhead, tmp_path):
    await releases.apply({"source": inline(config_map())})
    wanted = {"source": inline({**config_map(), "data": {"a": 1}})}
    file = tmp_path / "shop.json"
    file.write_text(json.dumps({**await releases.get(), "spec": wanted}))
    refused = await pierhead("diff", "shop", "-f", str(file))
    assert refused.code == 1
    assert "the dry run was refused" in refused.errors


async def test_render_needs_files_alone(pierhead, tmp_path):
    spec = {
        "source": {"git": {"url": "https://git.example.com/shop.git"}},
        "helm": {
            "path": "chart",
            "valuesFrom": [{"secret": {"name": "values"}}, {"configMap": {"name": "none"}}],
        },
        "kustomize": {"inline": {"namePrefix": "prod-"}},
    }
    shop = {"apiVersion": "pierhead.dev/v1alpha1", "kind": "AppRelease", "metadata": {"name": "shop"}}
    values = {**secret(""), "metadata": {"name": "values"}, "data": None}
    values["stringData"] = {"values.yaml": "greeting: correct horse\n"}
    given = "---\n".join(json.dumps(obj) + "\n" for obj in ({**shop, "spec": spec}, values))
    template = (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {a: {{ .Values.greeting }}}\n"
    )
    write_tree(tmp_path / "files" / "chart", chart_files(keys=template))
    (tmp_path / "more.yaml").write_text("name: other\n")
    local = ("--local", str(tmp_path / "files"))
    more = ("--values-from", f"1={tmp_path / 'more.yaml'}")
    done = await pierhead("render", "-f", "-", *local, *more, given=given, cluster=False)
    assert {(obj["kind"], obj["metadata"]["name"]) for obj in done.documents} == {
        ("ConfigMap", "prod-other"),
        ("Secret", "prod-keys"),
    }
    (keys,) = [obj for obj in done.documents if obj["kind"] == "Secret"]
    assert keys.get("stringData", keys.get("data")) == {"a": "***"}
    (settings,) = [obj for obj in done.documents if obj["kind"] == "ConfigMap"]
    assert settings["data"]["greeting"] == "***"
    missing = await pierhead("render", "-f", "-", *local, given=given, cluster=False)
    assert missing.errors == (
        "error: spec.helm.valuesFrom[1].configMap: ConfigMap none is not here; or give --values-from 1=FILE\n"
    )


async def test_a_plan_is_shown_and_approved(controller, releases, pierhead):
    await releases.apply({"source": inline(config_map(a="1"), secret("correct horse")), "approval": "Manual"})
    waiting = await releases.until(because("AwaitingApproval"))
    digest = waiting["status"]["plan"]["digest"]
    planned = (await pierhead("diff", "shop", "--plan", "-o", "json")).json
    assert {change["action"] for change in planned} == {"Create"}
    assert f"digest: {digest}" in (await pierhead("get", "shop")).output
    other = await pierhead("approve", "shop", "--digest", "another")
    assert (other.code, f"the plan is {digest} now" in other.errors) == (1, True)
    assert (await pierhead("approve", "shop")).code == 0
    assert condition(await releases.get())["status"] == "True"
    assert "no plan that waits" in (await pierhead("approve", "shop")).errors
