"""The chart with all kinds of values: what it renders, and what it refuses."""

import json
from typing import Any

import pytest
import yaml

from chart_files import CHART, NAMESPACE, Helm, Objects, Render
from pierhead import __version__
from pierhead.aws.policy import Policy
from pierhead.crds.kinds import RESOURCES
from pierhead.model import API_VERSION
from pierhead.settings import Settings

EVERYTHING = {
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "runbooks": "https://docs.example.com/alerts"},
    "networkPolicy": {
        "enabled": True,
        "metricsFrom": [{"namespaceSelector": {}}],
        "extraEgress": [{"ports": [{"port": 22}]}],
    },
    "serviceAccount": {"roleArn": "arn:aws:iam::111122223333:role/pierhead", "annotations": {"a": "b"}},
    "imagePullSecrets": [{"name": "registry"}],
    "image": {"repository": "example.com/pierhead", "digest": f"sha256:{'0' * 64}"},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/arch": "arm64"},
    "affinity": {"nodeAffinity": {}},
    "tolerations": [{"operator": "Exists"}],
    "podLabels": {"team": "platform"},
    "podAnnotations": {"a": "b"},
    "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "extraEnvFrom": [{"configMapRef": {"name": "proxy"}}],
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
    "rbac": {"extraRules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]},
}
MODES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": EVERYTHING,
    "one replica": {"replicas": 1},
    "some namespaces": {"watchNamespaces": ["team-a", "team-b"]},
    "one kind": {"settings": {"kinds": ["SyncedSecret"]}},
    "no rights and no account": {
        "rbac": {"create": False, "aggregate": False},
        "serviceAccount": {"create": False},
    },
    "no definitions": {"crds": {"enabled": False}},
    "definitions that go with the release": {"crds": {"keep": False}},
}


def kinds(objects: Objects) -> set[str]:
    return {obj["kind"] for obj in objects}


def only(objects: Objects, kind: str) -> dict[str, Any]:
    (found,) = [obj for obj in objects if obj["kind"] == kind]
    return found


def container(objects: Objects) -> dict[str, Any]:
    (found,) = only(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    return dict(found)


def environment(objects: Objects) -> dict[str, Any]:
    return {entry["name"]: entry.get("value") for entry in container(objects)["env"]}


def rules(objects: Objects, *, namespace: str | None = None) -> list[dict[str, Any]]:
    """What the operator's account may do, without its Lease."""
    return [
        rule
        for obj in objects
        if obj["kind"] in {"Role", "ClusterRole"}
        and obj["metadata"]["name"] == "pierhead"
        and obj["metadata"].get("namespace") == namespace
        for rule in obj["rules"]
    ]


@pytest.mark.parametrize("values", MODES.values(), ids=MODES)
def test_helm_finds_no_fault(values: dict[str, Any], helm: Helm) -> None:
    helm("lint", "--strict", "--quiet", str(CHART), values=values)


@pytest.mark.parametrize("values", MODES.values(), ids=MODES)
def test_no_object_is_rendered_twice(values: dict[str, Any], helm: Helm) -> None:
    text = helm("template", "pierhead", str(CHART), "--namespace", NAMESPACE, values=values).stdout
    objects = [obj for obj in yaml.safe_load_all(text) if obj]
    names = [(obj["kind"], obj["metadata"].get("namespace"), obj["metadata"]["name"]) for obj in objects]

    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"replica": 2}, "replica"),
        ({"replicas": "two"}, "replicas"),
        ({"settings": {"worker": 3}}, "worker"),
        ({"settings": {"workers": 0}}, "workers"),
        ({"settings": {"workers": "many"}}, "workers"),
        ({"settings": {"kinds": ["Workflow"]}}, "kinds"),
        ({"settings": {"logLevel": "TRACE"}}, "logLevel"),
        ({"watchNamespaces": ["Team A"]}, "watchNamespaces"),
        ({"watchNamespaces": "team-a"}, "watchNamespaces"),
        ({"serviceAccount": {"roleArn": "pierhead"}}, "roleArn"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"terminationGracePeriodSeconds": 5}, "terminationGracePeriodSeconds"),
    ],
)
def test_values_that_cannot_work_are_refused_by_name(values: dict[str, Any], fault: str, helm: Helm) -> None:
    refused = helm("template", "pierhead", str(CHART), values=values, check=False)

    assert refused.returncode != 0
    assert fault in refused.stderr


def test_every_setting_of_the_operator_can_be_given(render: Render) -> None:
    given: dict[str, Any] = {
        "logLevel": "DEBUG",
        "workers": 7,
        "resyncSeconds": 99.5,
        "leaderElection": False,
        "kinds": ["SyncedSecret"],
        "awsRegion": "eu-west-1",
        "awsPolicy": [{"namespaces": ["team-*"], "powers": ["queue"], "values": ["*"]}],
        "operatorIdentityNamespaces": ["platform"],
        "rendererMemoryMib": 1000000,
        "allowFileSources": True,
    }

    variables = environment(render({"settings": given, "watchNamespaces": ["team-a"]}))

    del variables["PIERHEAD_NAMESPACE"]
    read = Settings(
        **{name.removeprefix("PIERHEAD_").lower(): decoded(text) for name, text in variables.items()}
    )
    assert read.workers == 7
    assert read.resync_seconds == 99.5
    assert read.leader_election is False
    assert read.kinds == ("SyncedSecret",)
    assert read.watch_namespaces == ("team-a",)
    assert read.aws_region == "eu-west-1"
    assert read.operator_identity_namespaces == ("platform",)
    assert read.renderer_memory_mib == 1000000
    Policy(read.aws_policy, region="eu-west-1").check("team-a", "queue", "anything")


def decoded(text: str) -> Any:
    """As pydantic-settings reads a variable: JSON where the setting is a list."""
    return json.loads(text) if text.startswith("[") else text


def test_the_settings_of_the_chart_are_those_of_the_operator() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]["settings"]["properties"]

    def variable(key: str) -> str:
        return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in key)

    elsewhere = {"namespace", "watch_namespaces"}
    assert {variable(key) for key in schema} | elsewhere == set(Settings.model_fields)


def test_a_setting_that_is_not_given_is_left_to_the_code(render: Render) -> None:
    assert set(environment(render())) == {"PIERHEAD_NAMESPACE"}


def test_the_pod_asks_for_no_right_that_it_can_do_without(render: Render) -> None:
    objects = render()
    pod = only(objects, "Deployment")["spec"]["template"]["spec"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container(objects)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["volumes"] == [{"name": "temporary", "emptyDir": {"sizeLimit": "1Gi"}}]


def test_the_ports_follow_the_probes_address(render: Render) -> None:
    objects = render({"settings": {"probeAddress": "[::]:9090"}})

    assert container(objects)["ports"] == [{"name": "http", "containerPort": 9090}]
    assert only(objects, "Service")["spec"]["ports"][0]["port"] == 9090


@pytest.mark.parametrize("values", MODES.values(), ids=MODES)
def test_no_rule_has_a_wildcard(values: dict[str, Any], render: Render) -> None:
    for obj in render(values):
        for rule in obj.get("rules", ()) if obj["kind"] in {"Role", "ClusterRole"} else ():
            assert "*" not in [*rule["apiGroups"], *rule["resources"], *rule["verbs"]]


def test_in_some_namespaces_the_account_has_nothing_elsewhere(render: Render) -> None:
    everywhere = rules(render())
    confined = render({"watchNamespaces": ["team-a", "team-b"]})

    (definitions,) = rules(confined)
    assert definitions["resources"] == ["customresourcedefinitions"]
    for namespace in ("team-a", "team-b"):
        assert [definitions, *rules(confined, namespace=namespace)] == everywhere
    assert environment(confined)["PIERHEAD_WATCH_NAMESPACES"] == '["team-a","team-b"]'


def test_rights_are_those_of_the_kinds_that_are_reconciled(render: Render) -> None:
    def resources(*names: str) -> set[str]:
        return {
            resource
            for rule in rules(render({"settings": {"kinds": list(names)}}))
            for resource in rule["resources"]
        }

    assert "secrets" not in resources("BatchJob")
    assert "serviceaccounts" not in resources("SyncedSecret", "BatchJob")
    assert "configmaps" not in resources("SyncedSecret")
    assert "statefulsets" not in resources("BatchJob")
    every = resources(*(resource.kind for resource in RESOURCES))
    assert {resource.plural for resource in RESOURCES} < every


def test_every_right_has_its_reason_in_the_documentation(render: Render) -> None:
    ours = [resource.plural for resource in RESOURCES]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    meanings = {
        "our kinds": ours,
        "our kinds, /status": [f"{plural}/status" for plural in ours],
        "rbac.watchedKinds": [name for kind in values["rbac"]["watchedKinds"] for name in kind["resources"]],
    }
    documented = set()
    for line in (CHART.parents[1] / "docs" / "rbac.md").read_text().splitlines():
        cells = [cell.strip().replace("`", "") for cell in line.split("|")[1:-1]]
        if len(cells) == 5 and cells[2][0].islower():
            resources = cells[1].partition(" (")[0]
            names = meanings.get(resources) or resources.split(", ")
            documented |= {(name, verb) for name in names for verb in cells[2].split(", ")}

    # The operator of SyncedSecrets lists and watches Secrets too, so AppRelease adds no rule of its own.
    definitions = {("customresourcedefinitions", verb) for verb in ("list", "watch")}
    granted = {
        (name, verb) for rule in rules(render()) for name in rule["resources"] for verb in rule["verbs"]
    }
    assert granted - definitions == documented - {("resource", "verbs")}


def test_values_of_secrets_are_read_only_where_secrets_are_synchronised(render: Render) -> None:
    def verbs(*names: str) -> list[list[str]]:
        found = rules(render({"settings": {"kinds": list(names)}}))
        return [rule["verbs"] for rule in found if "secrets" in rule["resources"]]

    assert verbs("AppRelease") == [["list", "watch"]]
    assert verbs("AppRelease", "SyncedSecret") == [["get", "list", "watch", "create", "patch", "delete"]]


def test_the_lease_is_the_one_the_settings_name(render: Render) -> None:
    (leader,) = [
        obj
        for obj in render({"settings": {"leaseName": "second"}})
        if obj["kind"] == "Role" and obj["metadata"]["name"] == "pierhead-leader"
    ]

    assert leader["metadata"]["namespace"] == NAMESPACE
    assert leader["rules"][1]["resourceNames"] == ["second"]


def test_who_edits_a_namespace_edits_every_kind_of_ours(render: Render) -> None:
    roles = {obj["metadata"]["name"]: obj for obj in render() if obj["kind"] == "ClusterRole"}

    for role in (roles["pierhead-view"], roles["pierhead-edit"]):
        assert role["rules"][0]["resources"] == [resource.plural for resource in RESOURCES]


def test_two_replicas_are_guarded_and_one_is_not(render: Render) -> None:
    assert "PodDisruptionBudget" in kinds(render())
    assert "PodDisruptionBudget" not in kinds(render({"replicas": 1}))


def test_what_needs_other_operators_is_left_out_until_asked_for(render: Render) -> None:
    optional = {"ServiceMonitor", "PrometheusRule", "NetworkPolicy"}

    assert not optional & kinds(render())
    assert optional <= kinds(render(EVERYTHING))


def test_an_alert_says_where_to_read_on(render: Render) -> None:
    (group,) = only(render(EVERYTHING), "PrometheusRule")["spec"]["groups"]
    page = (CHART.parents[1] / "docs" / "alerts.md").read_text()

    for rule in group["rules"]:
        assert (
            rule["annotations"]["runbook_url"] == f"https://docs.example.com/alerts#{rule['alert'].lower()}"
        )
        assert f"## {rule['alert']}\n" in page


def test_alerts_are_made_of_metrics_that_exist(render: Render) -> None:
    from pierhead.engine.metrics import Metrics
    from pierhead.secrets.events.metrics import EventMetrics

    metrics = Metrics("0")
    EventMetrics(metrics.registry).follow(good=bool, silence=float, held=int)
    controller = metrics.controller("SyncedSecret", 1)
    controller.follow(depth=int, running_since=list, objects=list)
    known = metrics.exposition().decode()
    (group,) = only(render(EVERYTHING), "PrometheusRule")["spec"]["groups"]

    for rule in group["rules"]:
        name = rule["expr"].partition("{")[0].rpartition("(")[2].strip()
        assert f"# TYPE {name} " in known


def test_the_account_names_its_role(render: Render) -> None:
    annotations = only(render(EVERYTHING), "ServiceAccount")["metadata"]["annotations"]

    assert annotations == {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/pierhead", "a": "b"}


def test_the_image_is_of_this_version_unless_a_digest_says_which(render: Render) -> None:
    assert container(render())["image"] == f"pierhead:{__version__}"
    assert container(render(EVERYTHING))["image"] == f"example.com/pierhead@sha256:{'0' * 64}"


def test_definitions_stay_when_the_release_goes(helm: Helm) -> None:
    def annotations(keep: bool) -> list[Any]:
        text = helm("template", "pierhead", str(CHART), values={"crds": {"keep": keep}}).stdout
        definitions = [
            obj for obj in yaml.safe_load_all(text) if obj and obj["kind"].startswith("CustomResource")
        ]
        return [obj["metadata"].get("annotations") for obj in definitions]

    assert annotations(keep=True) == [{"helm.sh/resource-policy": "keep"}] * len(RESOURCES)
    assert annotations(keep=False) == [None] * len(RESOURCES)


def test_artifact_hub_is_told_of_every_kind() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    told = yaml.safe_load(chart["annotations"]["artifacthub.io/crds"])
    examples = yaml.safe_load(chart["annotations"]["artifacthub.io/crdsExamples"])

    assert chart["appVersion"] == chart["version"] == __version__
    assert [entry["name"] for entry in told] == [f"{resource.plural}.pierhead.dev" for resource in RESOURCES]
    assert {example["apiVersion"] for example in examples} == {API_VERSION}
    for example in examples:
        (resource,) = [resource for resource in RESOURCES if resource.kind == example["kind"]]
        resource.parse(example)
