"""Kubeconfigs, as kubectl reads them."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from pierhead.cli.cluster import Place, credentials_of
from pierhead.cli.failures import CommandError

EXEC_CREDENTIAL = {
    "apiVersion": "client.authentication.k8s.io/v1beta1",
    "kind": "ExecCredential",
    "status": {"token": "of-the-plug-in"},
}


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def kubeconfig(folder: Path, user: dict[str, Any], **cluster: Any) -> Path:
    path = folder / "config"
    contexts = [
        {"name": "one", "context": {"cluster": "here", "user": "me", "namespace": "team-a"}},
        {"name": "two", "context": {"cluster": "here", "user": "me"}},
    ]
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "one",
        "contexts": contexts,
        "clusters": [{"name": "here", "cluster": {"server": "https://api.example.com:6443", **cluster}}],
        "users": [{"name": "me", "user": user}],
    }
    path.write_text(yaml.safe_dump(document))
    return path


def test_a_context_gives_server_token_and_namespace(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, {"token": "secret"})
    credentials, namespace = credentials_of(Place(kubeconfig=path))
    assert (credentials.server, credentials.token) == ("https://api.example.com:6443", "secret")
    assert namespace == "team-a"
    assert credentials_of(Place(kubeconfig=path, context="two"))[1] == "default"


def test_an_exec_plug_in_is_asked(tmp_path: Path) -> None:
    code = f"print({json.dumps(EXEC_CREDENTIAL)!r})"
    plug_in = {"apiVersion": EXEC_CREDENTIAL["apiVersion"], "command": sys.executable, "args": ["-c", code]}
    path = kubeconfig(tmp_path, {"exec": plug_in})
    assert credentials_of(Place(kubeconfig=path))[0].token == "of-the-plug-in"


@pytest.mark.parametrize(
    ("cluster", "why"),
    [
        ({"insecure-skip-tls-verify": True}, "insecure-skip-tls-verify is not followed"),
        ({"proxy-url": "http://proxy.example.com"}, "a proxy"),
        ({"tls-server-name": "other"}, "tls-server-name is not followed"),
    ],
)
def test_what_is_not_followed_is_refused(tmp_path: Path, cluster: dict[str, Any], why: str) -> None:
    path = kubeconfig(tmp_path, {"token": "secret"}, **cluster)
    with pytest.raises(CommandError, match=why):
        credentials_of(Place(kubeconfig=path))


def test_a_context_or_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="kubeconfig: "):
        credentials_of(Place(kubeconfig=kubeconfig(tmp_path, {}), context="three"))
    with pytest.raises(CommandError, match="kubeconfig: "):
        credentials_of(Place(kubeconfig=tmp_path / "none"))
