"""`pierhead app …` as a process, against a running controller."""

import pytest

from support.app_sources import GitRepository, chart_files
from support.command_line import CommandLine
from support.releases import because, condition, config_map, inline


@pytest.fixture
def pierhead(sandbox, tenant, operator_binaries, tmp_path) -> CommandLine:
    renderer = {"PIERHEAD_RENDERER_PATH": str(operator_binaries.path("pierhead-renderer"))}
    return CommandLine({**sandbox.environment, **renderer}, tenant, tmp_path)


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


async def test_waiting_ends_with_its_own_code(releases, pierhead):
    """Without a controller nothing ever comes of it."""
    await releases.apply({"source": inline(config_map())})
    late = await pierhead("reconcile", "shop", "--timeout", "1s")
    assert late.code == 3
    assert "did not get there within 1s" in late.errors
    assert (await pierhead("reconcile", "shop", "--no-wait")).code == 0
    assert (await pierhead("reconcile", "shop", "--timeout", "soon")).code == 2
