"""Children as local processes, and the stand-in as one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import boto3
import pytest

from pierhead_sandbox.aws.control import AwsControl
from support.stand_in import CONTAINER, REGION

PUT = """
import os, boto3
index = os.environ["AWS_BATCH_JOB_ARRAY_INDEX"]
s3 = boto3.client("s3")
s3.put_object(Bucket="out", Key=index, Body=os.environ["WORD"].encode())
"""


@pytest.fixture
def processes(live_batch):
    live_batch.control.configure(execution="process", stop_grace_seconds=0.3)
    return live_batch


def define(batch, command, **properties):
    batch.define("p", containerProperties={**CONTAINER, "command": command, **properties})


def log(client, job):
    stream = job["container"]["logStreamName"]
    events = client("logs").get_log_events(logGroupName="/aws/batch/job", logStreamName=stream)["events"]
    return [event["message"] for event in events]


def waited(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_children_really_work(processes, client):
    client("s3").create_bucket(Bucket="out", CreateBucketConfiguration={"LocationConstraint": REGION})
    define(processes, ["python", "-c", PUT], environment=[{"name": "WORD", "value": "old"}])
    override = {"environment": [{"name": "WORD", "value": "new"}]}
    job_id = processes.submit(3, jobDefinition="p", containerOverrides=override)
    assert processes.wait(job_id)["status"] == "SUCCEEDED"
    found = client("s3").list_objects_v2(Bucket="out")["Contents"]
    assert [item["Key"] for item in found] == ["0", "1", "2"]
    assert client("s3").get_object(Bucket="out", Key="2")["Body"].read() == b"new"


def test_output_goes_to_the_log_stream_that_is_described(processes, client):
    define(processes, ["sh", "-c", "echo out $AWS_BATCH_JOB_ATTEMPT Ref::word; echo err >&2; exit 3"])
    job_id = processes.submit(jobDefinition="p", parameters={"word": "hello"}, retryStrategy={"attempts": 2})
    job = processes.wait(job_id)
    assert (job["status"], job["container"]["exitCode"]) == ("FAILED", 3)
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [3, 3]
    assert log(client, job) == ["out 2 hello", "err"]


def test_a_command_that_is_not_there_fails_with_a_reason(processes):
    define(processes, ["no-such-program"])
    job = processes.wait(processes.submit(jobDefinition="p"))
    assert job["status"] == "FAILED"
    assert job["attempts"][0]["container"]["reason"].startswith("CannotStartContainerError")
    define(processes, [])
    job = processes.wait(processes.submit(jobDefinition="p"))
    assert "no command" in job["attempts"][0]["container"]["reason"]


def test_secrets_of_the_definition_are_injected(processes, client):
    client("ssm").put_parameter(Name="/shop/word", Value="from-ssm", Type="SecureString")
    arn = client("secretsmanager").create_secret(Name="shop/db", SecretString='{"password": "from-sm"}')[
        "ARN"
    ]
    secrets = [
        {"name": "WORD", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/shop/word"},
        {"name": "PASSWORD", "valueFrom": f"{arn}:password::"},
        {"name": "WHOLE", "valueFrom": arn},
    ]
    define(processes, ["sh", "-c", 'echo "$WORD $PASSWORD $WHOLE"'], secrets=secrets)
    job = processes.wait(processes.submit(jobDefinition="p"))
    assert log(client, job) == ['from-ssm from-sm {"password": "from-sm"}']
    define(processes, ["true"], secrets=[{"name": "X", "valueFrom": arn.replace("shop", "gone")}])
    job = processes.wait(processes.submit(jobDefinition="p"))
    assert job["status"] == "FAILED"
    assert job["container"]["reason"].startswith("ResourceInitializationError")


def test_a_scripted_child_can_be_terminated_among_processes(processes):
    processes.control.script(stays="RUNNING")
    job_id = processes.submit()
    processes.wait(job_id, "RUNNING")
    processes.client.terminate_job(jobId=job_id, reason="stop")
    assert processes.wait(job_id)["statusReason"] == "stop"


def test_a_launcher_that_dies_fails_what_ran_and_is_replaced(processes, running_stand_in):
    define(processes, ["sleep", "60"])
    job_id = processes.submit(jobDefinition="p")
    processes.wait(job_id, "RUNNING")
    running_stand_in._playhouse._runner._launcher.kill()
    assert processes.wait(job_id)["status"] == "FAILED"
    define(processes, ["true"])
    assert processes.wait(processes.submit(jobDefinition="p"))["status"] == "SUCCEEDED"


def test_no_more_run_at_once_than_is_set(processes, client):
    processes.control.configure(process_concurrency=2)
    define(processes, ["sleep", "0.3"])
    job_id = processes.submit(4, jobDefinition="p")
    processes.wait(job_id, "PENDING")
    most = 0
    while processes.status(job_id) == "PENDING":
        counts = processes.counts(job_id)
        most = max(most, counts.get("STARTING", 0) + counts.get("RUNNING", 0))
    assert most == 2
    assert processes.status(job_id) == "SUCCEEDED"


def test_terminate_signals_and_then_kills(processes, client, tmp_path):
    polite, stubborn = tmp_path / "polite", tmp_path / "stubborn"
    define(processes, ["sh", "-c", f"trap 'exit 9' TERM; echo $$ > {polite}; sleep 60 & wait"])
    first = processes.submit(jobDefinition="p")
    define(processes, ["sh", "-c", f"trap '' TERM; echo $$ > {stubborn}; while :; do sleep 0.1; done"])
    second = processes.submit(jobDefinition="p")
    waited(lambda: polite.exists() and stubborn.exists() and stubborn.read_text() and polite.read_text())
    for job_id in (first, second):
        processes.client.terminate_job(jobId=job_id, reason="stop")
    jobs = [processes.wait(job_id) for job_id in (first, second)]
    assert [job["status"] for job in jobs] == ["FAILED", "FAILED"]
    assert [job["statusReason"] for job in jobs] == ["stop", "stop"]
    assert [job["container"]["exitCode"] for job in jobs] == [9, 137]
    assert not alive(int(stubborn.read_text()))


def test_a_script_that_matches_simulates_all_the_same(processes, tmp_path):
    define(processes, ["touch", str(tmp_path / "ran")])
    processes.control.script(job_name="played", exit_code=5, seconds=0)
    job = processes.wait(processes.submit(jobDefinition="p", jobName="played"))
    assert job["container"]["exitCode"] == 5
    assert not (tmp_path / "ran").exists()


def test_reset_kills_what_runs(processes, stand_in, tmp_path):
    define(processes, ["sh", "-c", f"echo $$ > {tmp_path}/pid; sleep 60"])
    processes.submit(jobDefinition="p")
    waited(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    stand_in.control.reset()
    waited(lambda: not alive(int((tmp_path / "pid").read_text())))


@pytest.fixture
def program(tmp_path):
    port_file = tmp_path / "url"
    process = subprocess.Popen(
        [sys.executable, "-m", "pierhead_sandbox.aws", "--port-file", str(port_file), "--exit-with-stdin"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    waited(port_file.exists)
    yield process, port_file.read_text()
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


@pytest.mark.parametrize("death", ["stdin", "SIGTERM", "SIGKILL"])
def test_no_child_outlives_the_program(program, tmp_path, death):
    process, url = program
    control = AwsControl(url)
    control.batch.create_queue("q", region=REGION)
    control.batch.configure(execution="process")
    batch = boto3.client(
        "batch", endpoint_url=url, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x"
    )
    command = ["sh", "-c", f"sleep 60 & echo $! > {tmp_path}/grandchild; echo $$ > {tmp_path}/child; wait"]
    batch.register_job_definition(
        jobDefinitionName="p", type="container", containerProperties={**CONTAINER, "command": command}
    )
    batch.submit_job(jobName="j", jobQueue="q", jobDefinition="p")
    child, grandchild = tmp_path / "child", tmp_path / "grandchild"
    waited(lambda: child.exists() and child.read_text())
    if death == "stdin":
        process.stdin.close()
    else:
        process.send_signal(getattr(signal, death))
    process.wait(timeout=10)
    assert process.returncode == (-9 if death == "SIGKILL" else 0)
    waited(lambda: not alive(int(child.read_text())) and not alive(int(grandchild.read_text())))


def test_the_program_says_where_it_listens_once_it_answers(program):
    process, url = program
    assert process.stdout.readline().decode().strip() == url
    with urlopen(f"{url}/sandbox/health") as response:
        assert response.read() == b'"ok"'
