"""The sandbox's AWS: in a process of its own, found by the environment, gone with the sandbox."""

import json
import os
import select
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import boto3
import pytest

from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.sandbox import Sandbox

PARENT = """
import os, sys, threading
import boto3
from pierhead_sandbox.sandbox import Sandbox
sandbox = Sandbox.start(nodes=0)
os.environ.update(sandbox.environment)
sandbox.aws.batch.create_queue("work")
sandbox.aws.batch.configure(execution="process")
batch = boto3.client("batch")
batch.register_job_definition(
    jobDefinitionName="tell",
    type="container",
    containerProperties={
        "image": "any",
        "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "512"}],
        "command": ["sh", "-c", "echo $$ >" + sys.argv[1] + "; exec sleep 600"],
    },
)
batch.submit_job(jobName="job", jobQueue="work", jobDefinition="tell")
threading.Event().wait()
"""


@pytest.fixture
def client(sandbox):
    def make(service):
        environment = sandbox.environment
        return boto3.client(
            service,
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            region_name=environment["AWS_REGION"],
            aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )

    return make


def test_clients_find_it_by_the_environment_and_it_counts_their_calls(sandbox, aws, client):
    client("secretsmanager").create_secret(Name="team/db", SecretString="x")
    assert aws.count("secretsmanager", "CreateSecret") == 1
    assert urlsplit(sandbox.environment["AWS_ENDPOINT_URL"]).hostname == "127.0.0.1"


@pytest.mark.parametrize("_again", [1, 2])
def test_each_test_gets_it_empty(aws, client, _again):
    assert aws.calls() == {}
    secrets = client("secretsmanager")
    assert secrets.list_secrets()["SecretList"] == []
    secrets.create_secret(Name="team/db", SecretString="x")


def test_a_shell_with_the_environment_reaches_it(sandbox, aws):
    script = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    environment = {**os.environ, **sandbox.environment}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert len(done.stdout.strip()) == 12


def test_a_sandbox_may_do_without():
    with Sandbox.start(nodes=0, aws=False) as sandbox:
        assert set(sandbox.environment) == {"KUBECONFIG"}
        assert "aws" not in sandbox.processes.pids()
        with pytest.raises(SandboxError, match="aws=False"):
            _ = sandbox.aws


def test_jobs_that_really_run_die_with_the_sandboxs_process(tmp_path):
    pipe = tmp_path / "job"
    os.mkfifo(pipe)
    with subprocess.Popen([sys.executable, "-c", PARENT, str(pipe)], stderr=subprocess.PIPE) as parent:
        # Opening waits until the job writes.
        job = os.pidfd_open(json.loads(pipe.read_text()))
        assert not select.select([job], [], [], 0)[0]
        parent.send_signal(signal.SIGKILL)
        assert select.select([job], [], [], 15)[0]
    os.close(job)
