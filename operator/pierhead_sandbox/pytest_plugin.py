"""pytest fixtures: a real control plane for tests.

Invariant: pytest loads this for every run of the project, so nothing of the sandbox is imported before
a test asks for it. One control plane serves a session (under pytest-xdist: a worker), a namespace
separates its tests, and a test that breaks the control plane takes one of its own.
"""

import secrets
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pierhead_sandbox.aws.control import AwsControl
    from pierhead_sandbox.binaries import Binaries
    from pierhead_sandbox.sandbox import Sandbox


@pytest.fixture(scope="session")
def operator_binaries() -> "Binaries":
    """The programs built from this checkout: `operator_binaries.path("pierhead-renderer")`."""
    from pierhead_sandbox.binaries import Binaries  # noqa: PLC0415

    return Binaries()


@pytest.fixture(scope="session")
def sandbox() -> Iterator["Sandbox"]:
    """The session's sandbox, with its audit log on. Leave it as it was found."""
    from pierhead_sandbox.sandbox import Sandbox  # noqa: PLC0415

    with Sandbox.start(audit=True) as started:
        yield started


@pytest.fixture
def private_sandbox() -> Iterator["Sandbox"]:
    """A sandbox of the test's own, to break."""
    from pierhead_sandbox.sandbox import Sandbox  # noqa: PLC0415

    with Sandbox.start(audit=True) as started:
        yield started


@pytest.fixture
def aws(sandbox: "Sandbox") -> "AwsControl":
    """Control of the session's AWS stand-in, which is empty: no resources, calls, faults or scripts.

    Clients find it by the variables in `sandbox.environment`.
    """
    control = sandbox.aws
    control.reset()
    return control


@pytest.fixture
def namespace(sandbox: "Sandbox") -> str:
    """The name of a fresh namespace whose `default` ServiceAccount exists.

    It is left behind: a deletion asks for every kind there is, which costs more than most tests do.
    """
    return sandbox.create_namespace(f"test-{secrets.token_hex(4)}")
