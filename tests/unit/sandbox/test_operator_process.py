import subprocess
import sys

from pierhead_sandbox.operator_process import listening_port

_SERVER = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()
"""


def test_the_port_a_process_listens_on_is_found():
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        port = int(server.stdout.readline())
        assert listening_port(server.pid) == port
        server.communicate()


def test_a_process_that_listens_on_none_is_told_so():
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert listening_port(process.pid) is None
        process.communicate()


def test_a_process_that_is_gone_listens_on_none():
    with subprocess.Popen(["true"]) as child:
        child.wait()

    assert listening_port(child.pid) is None
