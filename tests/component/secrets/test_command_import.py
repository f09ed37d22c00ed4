"""`pierhead secrets import` as a process, against the stand-in of Secrets Manager."""

import json
from pathlib import Path

import pytest
import yaml

from pierhead.kube.resources import SYNCED_SECRETS
from pierhead_sandbox.aws.protocol import Fault
from support.command_line import CommandLine
from support.secrets_lab import REGION, Lab

FILE = "PASSWORD='correct horse'\nexport PORT=5432\n"
MANAGED = "pierhead.dev/managed-by"


@pytest.fixture
def pierhead(lab: Lab, tmp_path: Path) -> CommandLine:
    environment = {**lab.sandbox.environment, "AWS_REGION": REGION}
    return CommandLine(environment, lab.namespace, tmp_path, group="secrets")


@pytest.fixture
def env(tmp_path: Path) -> Path:
    path = tmp_path / ".env"
    path.write_text(FILE)
    path.chmod(0o600)
    return path


def writes(lab: Lab) -> dict[str, int]:
    operations = ("CreateSecret", "PutSecretValue", "TagResource", "UpdateSecret")
    return {name: count for name in operations if (count := lab.aws.count("secretsmanager", name))}


async def test_a_file_moves_once_and_only_when_told_to(lab: Lab, pierhead: CommandLine, env: Path) -> None:
    arguments = ("import", str(env), "--name", lab.aws_name("env"))
    previewed = await pierhead(*arguments)
    assert previewed.code == 0, previewed.errors
    assert "nothing was written" in previewed.errors
    assert [line.split()[:3] for line in previewed.errors.splitlines()[:3]] == [
        ["KEY", "VALUE", "CHANGE"],
        ["PASSWORD", "***", "create"],
        ["PORT", "***", "create"],
    ]
    assert writes(lab) == {}

    path = env.with_name("synced.yaml")
    for _ in range(2):
        assert (await pierhead(*arguments, "-f", str(path))).code == 0
    assert "is there and differs" in (await pierhead(*arguments, "-f", str(env))).errors
    applied = await pierhead(*arguments, "--apply")
    assert writes(lab) == {"CreateSecret": 1}
    stored = lab.boto.get_secret_value(SecretId=lab.aws_name("env"))
    assert json.loads(stored["SecretString"]) == {"PASSWORD": "correct horse", "PORT": "5432"}
    assert applied.output == previewed.output == path.read_text()
    assert yaml.safe_load(applied.output)["kind"] == "SyncedSecret"
    again = (await pierhead(*arguments, "--apply", "-o", "json")).json
    assert again["secrets"][0]["change"] == "unchanged"
    assert writes(lab) == {"CreateSecret": 1}

    text = FILE.replace("5432", "6543") + "MORE=x\n"
    changed = (await pierhead("import", "-", *arguments[2:], "--apply", "-o", "json", given=text)).json
    assert changed["secrets"][0]["keys"] == {"PASSWORD": "unchanged", "PORT": "change", "MORE": "create"}
    assert writes(lab) == {"CreateSecret": 1, "PutSecretValue": 1, "TagResource": 1}
    tags = {
        tag["Key"]: tag["Value"] for tag in lab.boto.describe_secret(SecretId=lab.aws_name("env"))["Tags"]
    }
    current = lab.boto.get_secret_value(SecretId=lab.aws_name("env"))
    assert tags == {MANAGED: "import", "pierhead.dev/imported-version": current["VersionId"]}
    for done in (previewed, applied):
        assert "correct horse" not in done.output + done.errors
        assert "5432" not in done.output + done.errors


async def test_what_it_did_not_write_is_not_overwritten(lab: Lab, pierhead: CommandLine, env: Path) -> None:
    version = lab.secret("env", "somebody's")
    arguments = ("import", str(env), "--name", lab.aws_name("env"), "--apply")
    refused = await pierhead(*arguments)
    assert refused.code == 1
    assert "was not made by an import" in refused.errors
    assert lab.boto.get_secret_value(SecretId=lab.aws_name("env"))["SecretString"] == "somebody's"

    assert (await pierhead(*arguments, "--replace", version)).code == 0
    changed = lab.secret("env", '{"PORT": "1"}')
    refused = await pierhead(*arguments)
    assert refused.code == 1
    assert (
        f"changed by somebody since it was imported: look at what it holds, then choose another --name, "
        f"or let this very version go with --replace {changed}" in refused.errors
    )
    assert "somebody's" not in refused.errors


async def test_one_refusal_keeps_all_from_being_written(lab: Lab, pierhead: CommandLine, env: Path) -> None:
    lab.secret("env/PORT", "taken")
    lab.aws.clear_calls()
    refused = await pierhead("import", str(env), "--name", lab.aws_name("env"), "--as", "each", "--apply")

    assert refused.code == 1
    assert f"secret {lab.aws_name('env/PORT')} was not made by" in refused.errors
    assert writes(lab) == {}


async def test_the_synced_secret_of_an_import_becomes_ready(
    lab: Lab, pierhead: CommandLine, env: Path
) -> None:
    await lab.operator()
    done = await pierhead(
        *("import", str(env), "--name", lab.aws_name("env"), "--as", "each", "--apply", "--create"),
        *("--synced-secret", "env"),
    )
    assert done.code == 0, done.errors
    assert "SyncedSecret env: Synced: 2 keys" in done.errors
    await lab.holds("env", PASSWORD="correct horse", PORT="5432")
    assert lab.now(SYNCED_SECRETS, "env")["spec"]["aws"] == {"region": REGION}


async def test_a_denied_look_writes_nothing_and_says_so(lab: Lab, pierhead: CommandLine, env: Path) -> None:
    lab.secret("env", "x")
    lab.aws.add_fault(Fault.deny("secretsmanager", "GetSecretValue"))
    lab.aws.clear_calls()
    done = await pierhead("import", str(env), "--name", lab.aws_name("env"), "--apply")

    assert done.code == 1
    assert "not authorized" in done.errors
    assert "Traceback" not in done.errors
    assert writes(lab) == {}


async def test_a_lost_answer_makes_no_second_version(lab: Lab, pierhead: CommandLine, env: Path) -> None:
    for operation in ("CreateSecret", "PutSecretValue"):
        lab.aws.add_fault(
            Fault(service="secretsmanager", operation=operation, accepted=True, status=500, times=1)
        )
    arguments = ("--name", lab.aws_name("env"), "--apply")
    assert (await pierhead("import", str(env), *arguments)).code == 0
    assert (await pierhead("import", "-", *arguments, given="PASSWORD=other")).code == 0

    assert writes(lab) == {"CreateSecret": 2, "PutSecretValue": 2, "TagResource": 1}
    assert len(lab.boto.list_secret_version_ids(SecretId=lab.aws_name("env"))["Versions"]) == 2
