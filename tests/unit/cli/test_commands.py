"""Every command of `pierhead app` as it is typed, as far as no cluster is needed."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pierhead.cli.main import app

APPLICATION = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "a", "namespace": "argocd"},
    "spec": {
        "source": {"repoURL": "https://git.example.com/a.git", "path": "a"},
        "destination": {"namespace": "shop"},
    },
}


def run(*arguments: str):
    return CliRunner().invoke(app, ["app", *arguments])


@pytest.mark.parametrize(
    "arguments",
    [
        ("adopt",),
        ("adopt", "--from-helm", "a", "--from-argo", "b"),
        ("adopt", "--from-helm", "a"),
        ("get",),
        ("render",),
        ("resume", "a", "--timeout", "soon"),
        ("list", "-o", "table"),
    ],
)
def test_wrong_usage_has_a_code_of_its_own(arguments: tuple[str, ...], monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    # Where a chart comes from is asked for once the release is known.
    assert run(*arguments).exit_code == (1 if arguments == ("adopt", "--from-helm", "a") else 2)


def test_an_application_in_a_file_becomes_an_app_release(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps(APPLICATION))
    told = json.loads(run("adopt", "--from-argo", "a", "-f", str(file), "-o", "json").stdout)
    assert told["appRelease"]["metadata"] == {"name": "a", "namespace": "shop"}
    assert told["warnings"]
    assert told["steps"][0].startswith("argocd app set a --sync-policy none")
    printed = run("adopt", "--from-argo", "a", "-f", str(file))
    assert yaml.safe_load(printed.stdout) == told["appRelease"]
    assert "warning: " in printed.stderr


def test_a_kubeconfig_that_is_not_there_is_one_line(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    ended = run("list")
    assert ended.exit_code == 1
    assert ended.stderr.startswith("error: kubeconfig: ")
    assert ended.stderr.count("\n") == 1


def test_a_kubeconfig_that_is_no_yaml_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("{")
    ended = run("list", "--kubeconfig", str(tmp_path / "config"))
    assert (ended.exit_code, ended.stderr) == (1, "error: kubeconfig: it is not YAML\n")
