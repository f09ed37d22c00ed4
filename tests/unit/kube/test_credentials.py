import base64
import os
import ssl

import pytest
import yaml

from pierhead.kube.credentials import Credentials, CredentialsError, Identity, TokenSource


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def kubeconfig(tmp_path, cluster=None, user=None, context="one"):
    document = {
        "current-context": "one",
        "contexts": [{"name": "one", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://1.2.3.4:6443/", **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
    }
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(document))
    return Credentials.from_kubeconfig(path, context=context)


def test_a_kubeconfigs_files_are_beside_it_and_its_data_is_decoded(tmp_path):
    text = base64.b64encode(b"PEM").decode()
    found = kubeconfig(
        tmp_path,
        {"certificate-authority": "ca.crt"},
        {"client-certificate-data": text, "client-key": "/abs/key", "tokenFile": "token"},
    )
    assert found.server == "https://1.2.3.4:6443"
    assert found.ca_file == tmp_path / "ca.crt"
    assert found.client_cert_data == "PEM"
    assert str(found.client_key_file) == "/abs/key"
    assert found.token_file == tmp_path / "token"
    assert "PEM" not in repr(found)


@pytest.mark.parametrize(
    ("cluster", "user", "named"),
    [
        ({}, {"exec": {"command": "aws"}}, "exec"),
        ({}, {"username": "a", "password": "b"}, "username"),
        ({"insecure-skip-tls-verify": True}, {}, "insecure-skip-tls-verify"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, cluster, user, named):
    with pytest.raises(CredentialsError, match=named):
        kubeconfig(tmp_path, cluster, user)


def test_an_unknown_context_is_named(tmp_path):
    with pytest.raises(CredentialsError, match="contexts has no 'two'"):
        kubeconfig(tmp_path, context="two")
    (tmp_path / "text").write_text("just text")
    with pytest.raises(CredentialsError, match="not a kubeconfig"):
        Credentials.from_kubeconfig(tmp_path / "text")


def test_a_pods_credentials(tmp_path):
    environment = {"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "6443"}
    with pytest.raises(CredentialsError, match="not in a pod"):
        Credentials.in_cluster(environment=environment, directory=tmp_path)
    (tmp_path / "token").write_text("t")
    found = Credentials.in_cluster(environment=environment, directory=tmp_path)
    assert found.server == "https://[fd00::1]:6443"
    assert found.ca_file == tmp_path / "ca.crt"
    with pytest.raises(CredentialsError):
        Credentials.in_cluster(environment={}, directory=tmp_path)


def test_a_token_file_is_read_again_when_it_changes_but_not_at_each_request(tmp_path):
    clock, file = Clock(), tmp_path / "token"
    file.write_text("one\n")
    tokens = TokenSource(Credentials(server="https://x", token_file=file), clock=clock)
    assert tokens.current() == "one"
    file.write_text("two")
    os.utime(file, ns=(1, 1))
    assert tokens.current() == "one"
    clock.now += 1
    assert tokens.current() == "two"
    assert not tokens.reload()
    file.unlink()
    assert not tokens.reload()
    assert tokens.current() == "two"
    file.write_text("three")
    assert tokens.reload()
    assert tokens.current() == "three"


def test_a_given_token_never_changes():
    tokens = TokenSource(Credentials(server="https://x", token="fixed"))
    assert tokens.current() == "fixed"
    assert not tokens.reload()


def test_without_a_ca_the_context_verifies_as_python_does():
    context = Credentials(server="https://x").ssl_context()
    assert context.verify_flags == ssl.create_default_context().verify_flags
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(
    ("namespace", "name"), [("a", "b:c"), ("a:b", "c"), ("a", ""), ("a", "b\r\nX: y"), ("A", "b")]
)
def test_an_identity_is_always_a_service_account(namespace, name):
    with pytest.raises(ValueError, match="cannot name a ServiceAccount"):
        Identity(namespace, name)


def test_an_identitys_user():
    assert Identity("team-a", "deployer.v2").user == "system:serviceaccount:team-a:deployer.v2"
