"""What an AppRelease refers to: its changes arrive by themselves, and cost nothing while there are none."""

import base64
import json

import pytest

from pierhead.kube.resources import CONFIG_MAPS, SECRETS
from pierhead_sandbox.aws.faults import Fault
from support.app_sources import chart_files
from support.releases import because, condition, settled

LONG = "1h"
"""An interval that no test waits for."""


@pytest.fixture
def settings(settings, aws_client):
    return settings


@pytest.fixture
def parameters(aws_client):
    return aws_client("ssm")


@pytest.fixture
def secret_values(aws_client):
    return aws_client("secretsmanager")


async def make(releases, resource, name, **data):
    if resource == SECRETS:
        data = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
    metadata = {"name": name, "namespace": releases.namespace}
    obj = {"apiVersion": "v1", "kind": resource.kind, "metadata": metadata, "data": data}
    await releases.kube.apply(resource, obj, field_manager="test")


def chart(*values_from, interval=LONG, **helm):
    return {
        "source": {"inline": {"files": chart_files()}},
        "helm": {"valuesFrom": list(values_from), **helm},
        "interval": interval,
    }


async def greeting(releases, wanted, name="settings"):
    await releases.object(CONFIG_MAPS, name, lambda obj: obj["data"]["greeting"] == wanted)


@pytest.mark.parametrize("resource", [CONFIG_MAPS, SECRETS], ids=lambda resource: resource.kind)
async def test_values_that_change_come_and_go_are_noticed_at_once(controller, releases, resource):
    field = "configMap" if resource == CONFIG_MAPS else "secret"
    await releases.apply(chart({field: {"name": "v", "key": "v"}, "targetPath": "greeting"}))
    missing = await releases.until(because("ReferenceNotFound"))
    assert condition(missing)["message"].startswith(
        f"spec.helm.valuesFrom[0].{field}: {resource.kind} v does"
    )
    await make(releases, resource, "v", v="one")
    await greeting(releases, "one")
    await releases.until()
    await make(releases, resource, "v", v="two")
    await greeting(releases, "two")
    await releases.until()
    await releases.kube.delete(resource, "v", releases.namespace)
    await releases.until(because("ReferenceNotFound"))
    await greeting(releases, "two")
    await make(releases, resource, "v", v="two")
    await releases.until()
    assert await releases.statuses() == ["superseded", "deployed"]


async def test_a_source_in_a_config_map_is_noticed_at_once(controller, releases):
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}}
    await make(releases, CONFIG_MAPS, "files", **{"a.json": json.dumps({**obj, "data": {"greeting": "one"}})})
    await releases.apply({"source": {"configMap": {"name": "files"}}, "interval": LONG})
    await greeting(releases, "one")
    await make(releases, CONFIG_MAPS, "files", **{"a.json": json.dumps({**obj, "data": {"greeting": "two"}})})
    await greeting(releases, "two")


async def test_only_those_who_refer_to_it_are_concerned(controller, releases, requests):
    """The interval is a second here, and a settled release asks for nothing at all."""
    await make(releases, CONFIG_MAPS, "v", **{"values.yaml": "greeting: one"})
    await make(releases, SECRETS, "v", **{"values.yaml": "name: settings"})
    await make(releases, CONFIG_MAPS, "stranger", a="1")
    await releases.apply(chart({"configMap": {"name": "v"}}, {"secret": {"name": "v"}}, interval="1s"))
    await greeting(releases, "one")
    await releases.until()
    await make(releases, CONFIG_MAPS, "stranger", a="2")
    assert await requests() == []


async def test_values_of_aws_are_read_in_tens_and_once_for_all(controller, releases, aws, parameters):
    paths = [f"/{releases.namespace}/{number}" for number in range(20)]
    for path in paths:
        parameters.put_parameter(Name=path, Value=path, Type="SecureString")
    entries = [
        {"parameter": {"name": path}, "targetPath": f"all[{number}]"} for number, path in enumerate(paths)
    ]
    named = {"parameter": {"name": paths[7]}, "targetPath": "greeting"}
    await releases.apply(chart(*entries, named))
    await greeting(releases, paths[7])
    await releases.until()
    await releases.apply(chart(*entries, values={"name": "other"}), name="second")
    await releases.until(name="second")
    assert aws.count("ssm", "GetParameters") == 2


async def test_values_of_aws_that_move_are_noticed(controller, releases, aws, parameters, secret_values):
    path, secret = f"/{releases.namespace}/mark", f"{releases.namespace}/v"
    parameters.put_parameter(Name=path, Value="x", Type="String")
    secret_values.create_secret(Name=secret, SecretString='{"a": {"greeting": "one"}}')
    await releases.apply(
        chart(
            {"parameter": {"name": path}, "targetPath": "mark"},
            {"secretsManager": {"name": secret, "property": "a"}},
            interval="2s",
        )
    )
    await greeting(releases, "one")
    await releases.until()
    secret_values.put_secret_value(SecretId=secret, SecretString='{"a": {"greeting": "two"}}')
    await greeting(releases, "two")
    await releases.until(lambda obj: settled(obj) and obj["status"]["release"]["revision"] == 2)


async def test_the_last_value_stays_while_aws_fails(controller, releases, aws, parameters):
    path = f"/{releases.namespace}/greeting"
    parameters.put_parameter(Name=path, Value="one", Type="String")
    await releases.apply(chart({"parameter": {"name": path}, "targetPath": "greeting"}, interval="1s"))
    await releases.until()
    aws.add_fault(Fault.deny("ssm"))
    stale = await releases.until(lambda obj: condition(obj, "SourceReady")["status"] == "False")
    assert condition(stale, "SourceReady")["message"].startswith("spec.helm.valuesFrom[0].parameter: ")
    assert condition(stale)["status"] == "True"
    aws.remove_fault()
    parameters.put_parameter(Name=path, Value="two", Type="String", Overwrite=True)
    await greeting(releases, "two")
    await releases.until(lambda obj: condition(obj, "SourceReady")["status"] == "True")
    parameters.delete_parameter(Name=path)
    missing = await releases.until(because("ReferenceNotFound"))
    assert f"parameter {path} does not exist" in condition(missing)["message"]
    await greeting(releases, "two")


async def test_another_namespaces_values_are_refused(controller, releases, aws):
    await releases.apply(chart({"secretsManager": {"name": "team-b/v"}}))
    denied = await releases.until(because("PolicyDenied"))
    assert condition(denied)["message"].startswith("spec.helm.valuesFrom[0].secretsManager.name: ")
    assert aws.calls() == {}
