"""The shop of `examples/shop`: its surroundings in AWS and Git, and its objects.

Invariant: what is applied are the committed examples; only the places are replaced that a sandbox cannot
have: the Git server, the path of the container's program and, for tests, the namespace in all names.
"""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import yaml

from pierhead_sandbox.aws_process import REGION
from pierhead_sandbox.demo.pictures import picture
from pierhead_sandbox.demo.pipeline import Pipeline
from pierhead_sandbox.errors import SandboxError
from pierhead_sandbox.paths import repository
from pierhead_sandbox.sandbox import Sandbox

Object = dict[str, Any]

NAME = "shop"
SECRET = "shop-db"
KEYS = ("DB_PASSWORD", "DB_USER")
JOB = "thumbnails"
ACCOUNT = "deployer"
PICTURES = 12
_INCOMING, _OUTGOING = "incoming/", "thumbnails/"
_GIT_IDENTITY = ("-c", "user.name=pierhead demo", "-c", "user.email=demo@example.com")


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of the bucket."""

    key: str
    content: bytes


class Shop:
    """A team's namespace, and what the team has in AWS under that namespace's name."""

    def __init__(self, sandbox: Sandbox, namespace: str = NAME) -> None:
        self._sandbox = sandbox
        self.namespace = namespace
        self.secret_id = f"{namespace}/db"
        self.queue = f"{namespace}-thumbnails"
        self.bucket = f"{namespace}-pictures"
        self.password = ""
        self._clients: dict[str, Any] = {}

    def aws(self, service: str) -> Any:
        """A boto3 client of the sandbox's stand-in, made once."""
        if service not in self._clients:
            self._clients[service] = self._client(service)
        return self._clients[service]

    def _client(self, service: str) -> Any:
        environment = self._sandbox.environment
        # The stubs know one signature a service, and none for a service named by a variable.
        client: Any = boto3.client
        return client(
            service,
            region_name=REGION,
            endpoint_url=environment["AWS_ENDPOINT_URL"],
            # Not the operator's, so that the stand-in's record tells whose call was whose.
            aws_access_key_id="pierhead-people",
            aws_secret_access_key="pierhead-people",
        )

    def create_secret(self) -> None:
        """The database's secret: JSON of a user name and a password."""
        self.aws("secretsmanager").create_secret(Name=self.secret_id, SecretString=self._credentials())

    def rotate(self) -> str:
        """Puts another password into the secret; the id of the new version."""
        answer = self.aws("secretsmanager").put_secret_value(
            SecretId=self.secret_id, SecretString=self._credentials()
        )
        return str(answer["VersionId"])

    def secret_text(self) -> str:
        """What AWS holds."""
        answer = self.aws("secretsmanager").get_secret_value(SecretId=self.secret_id)
        return str(answer["SecretString"])

    def create_queue(self) -> None:
        """The job queue."""
        self._sandbox.aws.batch.create_queue(self.queue, region=REGION)

    def create_pictures(self, count: int = PICTURES) -> int:
        """The bucket, with pictures to make thumbnails of; how many bytes they are."""
        s3 = self.aws("s3")
        s3.create_bucket(Bucket=self.bucket)
        total = 0
        for number in range(count):
            content = picture(number, count)
            s3.put_object(Bucket=self.bucket, Key=f"{_INCOMING}pier-{number:02}.png", Body=content)
            total += len(content)
        return total

    def pipeline(self) -> Pipeline:
        """The team's image pipeline."""
        return Pipeline(self._sandbox, self.namespace, self.aws)

    def pictures(self) -> list[StoredObject]:
        """What was put in."""
        return list(self._stored(_INCOMING))

    def thumbnails(self) -> list[StoredObject]:
        """What the jobs put back."""
        return list(self._stored(_OUTGOING))

    def tenant(self) -> list[Object]:
        """What an administrator gives the team: the namespace, and the account that deploys into it."""
        objects = _read("tenant.yaml")
        for obj in objects:
            if obj["kind"] == "Namespace":
                obj["metadata"]["name"] = self.namespace
            else:
                obj["metadata"]["namespace"] = self.namespace
            for subject in obj.get("subjects", ()):
                subject["namespace"] = self.namespace
        return objects

    def app_release(self, source: str) -> Object:
        """The AppRelease, its source at this URL."""
        (obj,) = _read("apprelease.yaml")
        obj["metadata"]["namespace"] = self.namespace
        obj["spec"]["source"]["git"]["url"] = source
        return obj

    def synced_secret(self) -> Object:
        """The SyncedSecret."""
        (obj,) = _read("syncedsecret.yaml")
        obj["metadata"]["namespace"] = self.namespace
        for entry in obj["spec"]["data"]:
            entry["from"]["secret"] = self.secret_id
        return obj

    def batch_job(self) -> Object:
        """The BatchJob, its container's program where this checkout has it."""
        (obj,) = _read("batchjob.yaml")
        obj["metadata"]["namespace"] = self.namespace
        obj["spec"]["queue"] = self.queue
        obj["spec"]["outputUri"] = f"s3://{self.bucket}/{_OUTGOING.rstrip('/')}"
        container = obj["spec"]["template"]["container"]
        container["command"][-1] = str(repository() / "examples" / "thumbnails" / "thumbnail.py")
        container["env"][0]["value"] = f"s3://{self.bucket}/{_INCOMING.rstrip('/')}"
        return obj

    def objects(self, source: str) -> list[Object]:
        """The three custom resources."""
        return [self.app_release(source), self.synced_secret(), self.batch_job()]

    def _credentials(self) -> str:
        self.password = secrets.token_urlsafe(18)
        return json.dumps({"username": "shop", "password": self.password})

    def _stored(self, prefix: str) -> Iterator[StoredObject]:
        s3 = self.aws("s3")
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
            for entry in page.get("Contents", ()):
                body = s3.get_object(Bucket=self.bucket, Key=entry["Key"])["Body"]
                yield StoredObject(entry["Key"].removeprefix(prefix), body.read())


def make_repository(folder: Path) -> str:
    """A Git repository in `folder` with the chart and the overlays of the example; its `file://` URL.

    Raises SandboxError when git is missing or refuses.
    """
    example = repository() / "examples" / "shop"
    for part in ("chart", "overlays"):
        shutil.copytree(example / part, folder / part)
    return commit_all(folder)


def commit_all(folder: Path) -> str:
    """Makes what is in `folder` the first commit of a Git repository; its `file://` URL.

    Raises SandboxError when git is missing or refuses.
    """
    # Nothing of the user's configuration: hooks and signing would be theirs.
    path = os.environ.get("PATH", os.defpath)
    environment = {"PATH": path, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(folder)}
    for arguments in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "--all"),
        (*_GIT_IDENTITY, "commit", "--quiet", "--message=First"),
    ):
        try:
            subprocess.run(
                ["git", *arguments], cwd=folder, env=environment, check=True, capture_output=True, text=True
            )
        except FileNotFoundError:
            raise SandboxError("git is not installed") from None
        except subprocess.CalledProcessError as error:
            raise SandboxError(f"git {' '.join(arguments)}: {error.stderr.strip()}") from error
    return folder.as_uri()


def text_of(objects: list[Object]) -> str:
    """What `kubectl apply -f -` reads."""
    return yaml.safe_dump_all(objects, sort_keys=False)


def _read(name: str) -> list[Object]:
    text = (repository() / "examples" / "shop" / name).read_text()
    return [obj for obj in yaml.safe_load_all(text) if obj]
