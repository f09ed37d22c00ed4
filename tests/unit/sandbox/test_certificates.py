"""Certificates that the strictest reader accepts."""

import socket
import ssl
import threading

import pytest

from pierhead_sandbox.certificates import Authority, signing_key


def _handshake(server_context: ssl.SSLContext, client_context: ssl.SSLContext, name: str) -> dict:
    ours, theirs = socket.socketpair()
    subjects: list = []

    def serve() -> None:
        with server_context.wrap_socket(theirs, server_side=True) as connection:
            subjects.append(connection.getpeercert())
            connection.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    with client_context.wrap_socket(ours, server_hostname=name) as connection:
        connection.send(b"x")
    thread.join()
    return subjects[0]


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "kubernetes.default.svc"])
def test_both_sides_pass_strict_verification(tmp_path, name):
    authority = Authority(tmp_path)
    serving = authority.serving("server")
    client = authority.client("client", "alice", "developers", "admins")
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.files.certificate)
    server_context.verify_mode = ssl.CERT_REQUIRED
    server_context.load_cert_chain(serving.certificate, serving.key)
    client_context = ssl.create_default_context(cafile=authority.files.certificate)
    client_context.load_cert_chain(client.certificate, client.key)
    for context in (server_context, client_context):
        context.verify_flags |= ssl.VERIFY_X509_STRICT

    seen = _handshake(server_context, client_context, name)

    subject = [pair for relative in seen["subject"] for pair in relative]
    assert ("commonName", "alice") in subject
    assert [value for key, value in subject if key == "organizationName"] == ["developers", "admins"]


def test_private_keys_are_for_their_owner_only(tmp_path):
    authority = Authority(tmp_path)
    private, _ = signing_key(tmp_path, "tokens")
    for path in (authority.files.key, authority.serving("s").key, authority.client("c", "c").key, private):
        assert path.stat().st_mode & 0o777 == 0o600


def test_another_authority_is_not_trusted(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    ours, other = Authority(tmp_path / "one"), Authority(tmp_path / "two")
    assert ours.files.certificate.read_bytes() != other.files.certificate.read_bytes()
