"""Values of a release that is only kept true do not come back either, when the API server quotes them."""

import asyncio
import base64
import json
import time

import pytest

from pierhead.kube.resources import CONFIG_MAPS, SECRETS
from support.app_sources import chart_files
from support.releases import condition

CANARY = "canary-7Kq2-hunter2"
GROUP = "admissionregistration.k8s.io"


@pytest.fixture
def quoting(sandbox, releases):
    """Switches on a policy that refuses to make a ConfigMap `settings`, and quotes it."""
    namespace = releases.namespace
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
    policy = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": namespace},
        "spec": {
            "matchConstraints": {"resourceRules": [{**rule, "resourceNames": ["settings"]}]},
            "validations": [{"expression": "false", "messageExpression": "'no ' + object.data.greeting"}],
        },
    }
    binding = {
        "apiVersion": f"{GROUP}/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": namespace},
        "spec": {
            "policyName": namespace,
            "validationActions": ["Deny"],
            "matchResources": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
            },
        },
    }
    probe = json.dumps(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "settings"},
            "data": {"greeting": "hi"},
        }
    )

    def on() -> None:
        sandbox.kubectl("apply", "-f", "-", stdin=json.dumps(policy))
        sandbox.kubectl("apply", "-f", "-", stdin=json.dumps(binding))
        command = ("create", "-n", namespace, "--dry-run=server", "-f", "-")
        while "no hi" not in sandbox.kubectl(*command, stdin=probe, check=False).stderr:
            time.sleep(0.1)

    yield on
    kinds = "validatingadmissionpolicies,validatingadmissionpolicybindings"
    sandbox.kubectl("delete", kinds, namespace, "--ignore-not-found")


async def test_the_repair_of_a_release_shows_no_value(controller, releases, quoting):
    metadata = {"name": "values", "namespace": releases.namespace}
    data = {"v": base64.b64encode(CANARY.encode()).decode()}
    await releases.kube.create(
        SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}
    )
    values_from = [{"secret": {"name": "values", "key": "v"}, "targetPath": "greeting"}]
    source = {"inline": {"files": chart_files()}}
    await releases.apply({"source": source, "helm": {"valuesFrom": values_from}})
    await releases.until()
    await asyncio.to_thread(quoting)
    await releases.kube.delete(CONFIG_MAPS, "settings", releases.namespace)
    refused = await releases.until(lambda obj: "no ***" in condition(obj)["message"])
    assert CANARY not in json.dumps(refused["status"])
    await releases.kube.delete(SECRETS, "values", releases.namespace)
    held = await releases.until(lambda obj: "is not shown" in condition(obj)["message"])
    assert CANARY not in json.dumps(held["status"])
