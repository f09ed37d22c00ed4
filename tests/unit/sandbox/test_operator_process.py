import os
import socket
import subprocess

from pierhead_sandbox.operator_process import listening_port


def test_the_port_a_process_listens_on_is_found():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        assert listening_port(os.getpid()) != server.getsockname()[1]

        server.listen()

        assert listening_port(os.getpid()) == server.getsockname()[1]


def test_a_process_that_is_gone_listens_on_none():
    with subprocess.Popen(["true"]) as child:
        child.wait()

    assert listening_port(child.pid) is None
