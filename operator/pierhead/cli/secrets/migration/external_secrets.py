"""External-secrets' ExternalSecret as a SyncedSecret.

Invariant: pure; no field is dropped silently: each is either taken, or told of in a warning. Source of the
fields: external-secrets v1, which v1beta1 equals in what is read here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from pierhead.cli.adopt.translation import Fields, without_nothing
from pierhead.cli.failures import CommandError
from pierhead.engine.resource import Object
from pierhead.model import API_VERSION
from pierhead.secrets.model import RESOURCE

GROUP: Final = "external-secrets.io/"
_KINDS: Final = ("SecretStore", "ClusterSecretStore")
_GO_VALUE: Final = re.compile(r"\{\{-?\s*\.([A-Za-z_][A-Za-z0-9_]*)\s*(?:\|\s*toString\s*)?-?\}\}")
_DECODINGS: Final = frozenset({"None", "Base64", "Base64URL", "Auto"})
_ONCE: Final = frozenset({"CreatedOnce", "OnChange"})
_GJSON: Final = re.compile(r"[#|@*?\\]")
_CONVERTED: Final = {"pattern": "[^-._a-zA-Z0-9]", "replace": "_"}
"""What external-secrets does by itself to names that cannot be keys."""

_NEVER: Final = re.compile(r"0+(\.0+)?(h|m|s|ms)?")


@dataclass(slots=True)
class Made:
    """A SyncedSecret, and what it is not equal in."""

    into: ClassVar[str] = "a SyncedSecret"

    name: str
    namespace: str | None
    spec: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Tells of something that has no equal, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    @property
    def synced_secret(self) -> Object:
        """The whole object; fields without a value are left out."""
        metadata = without_nothing({"name": self.name, "namespace": self.namespace})
        spec = {name: value for name, value in without_nothing(self.spec).items() if value not in ({}, [])}
        return {"apiVersion": API_VERSION, "kind": RESOURCE.kind, "metadata": metadata, "spec": spec}


@dataclass(frozen=True, slots=True)
class Store:
    """What of a SecretStore decides where values are read, and as whom."""

    aws: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "secret"
    prefix: str = ""


def translated(objects: Sequence[Object]) -> list[Made]:
    """Every ExternalSecret among objects, by the stores among them. Raises CommandError for none."""
    own = [obj for obj in objects if str(obj.get("apiVersion", "")).startswith(GROUP)]
    stores = {_key(obj): obj for obj in own if obj.get("kind") in _KINDS}
    found = [_translated(obj, stores) for obj in own if obj.get("kind") == "ExternalSecret"]
    if not found:
        raise CommandError("the files hold no ExternalSecret of external-secrets.io")
    return found


def _translated(obj: Object, stores: Mapping[tuple[str, str, str], Object]) -> Made:
    metadata = obj.get("metadata") or {}
    made = Made(str(metadata.get("name", "")), metadata.get("namespace"))
    fields = Fields(obj.get("spec"), "spec", made)
    store = _store(fields.take("secretStoreRef"), made, stores)
    made.spec |= {
        "aws": dict(store.aws),
        "data": [_data(entry, index, store, made) for index, entry in enumerate(fields.take("data", []))],
        "dataFrom": [
            entry
            for index, given in enumerate(fields.take("dataFrom", []))
            if (entry := _data_from(given, index, store, made)) is not None
        ],
    }
    _target(fields.section("target"), made)
    policy, interval = fields.take("refreshPolicy"), fields.take("refreshInterval")
    if policy in _ONCE or (interval is not None and _NEVER.fullmatch(str(interval))):
        made.spec["refresh"] = {"mode": "Once"}
    elif interval is not None:
        made.spec["refresh"] = {"interval": str(interval)}
    fields.end()
    made.steps = _steps(made)
    return made


def _store(reference: Any, made: Made, stores: Mapping[tuple[str, str, str], Object]) -> Store:
    given = reference if isinstance(reference, Mapping) else {}
    kind, name = str(given.get("kind") or "SecretStore"), str(given.get("name") or "")
    if not name:
        made.warn("spec.secretStoreRef names no store: give spec.aws where it is not the operator's own")
        return Store()
    home = "" if kind == "ClusterSecretStore" else str(made.namespace or "")
    obj = stores.get((kind, home, name)) or stores.get((kind, "", name))
    if obj is None:
        made.warn(f"{kind} {name} is not among the files: region, role and prefix are left out")
        return Store()
    outer = Fields(obj.get("spec"), f"{kind} {name}: spec", made)
    for part in ("controller", "conditions", "refreshInterval", "retrySettings"):
        outer.without_equal(part, "is the operator's to decide: see docs/tenancy.md and docs/settings.md")
    provider = outer.section("provider")
    aws = provider.take("aws")
    provider.end()
    outer.end()
    if not isinstance(aws, Mapping):
        raise CommandError(f"{kind} {name} is not of AWS: SyncedSecrets read from AWS alone")
    return _aws(Fields(aws, f"{kind} {name}: spec.provider.aws", made), made, cluster=not home)


def _aws(fields: Fields, made: Made, *, cluster: bool) -> Store:
    access: dict[str, Any] = {
        "region": fields.take("region"),
        "roleArn": fields.take("role"),
        "externalId": fields.take("externalID"),
    }
    fields.without_equal("additionalRoles", "one role is assumed: let the first trust pierhead's own")
    fields.without_equal("sessionTags", "sessions are tagged with the namespace")
    fields.without_equal("transitiveTagKeys", "session tags are not transitive")
    fields.without_equal("secretsManager", "nothing is deleted or written in AWS")
    auth = fields.section("auth")
    account = auth.section("jwt").section("serviceAccountRef")
    name, namespace = account.take("name"), account.take("namespace")
    account.without_equal("audiences", "the token's audience is sts.amazonaws.com")
    account.end()
    if name is not None:
        access["serviceAccountName"] = name
        if cluster or namespace not in {None, made.namespace}:
            made.warn(f"ServiceAccount {name} has to be in the SyncedSecret's own namespace")
        if access["externalId"] is not None:
            access["externalId"] = None
            made.warn("externalID is not given along with a ServiceAccount's token, and is left out")
    auth.without_equal("secretRef", "there are no static keys: use a role or a ServiceAccount")
    auth.end()
    service, prefix = fields.take("service"), str(fields.take("prefix", ""))
    fields.end()
    return Store(without_nothing(access), "parameter" if service == "ParameterStore" else "secret", prefix)


def _data(given: Any, index: int, store: Store, made: Made) -> dict[str, Any]:
    fields = Fields(given, f"spec.data[{index}]", made)
    key = fields.take("secretKey")
    fields.without_equal("sourceRef", "all keys are read as spec.aws says")
    remote = fields.section("remoteRef")
    source = _source(remote, store)
    source["property"] = remote.take("property")
    if source["property"] is not None and _GJSON.search(str(source["property"])):
        made.warn(f"spec.data[{index}].remoteRef.property: only dots and numbers make a path, no queries")
    source["decode"] = _decode(remote, f"spec.data[{index}]", made)
    remote.end()
    fields.end()
    return {"key": key, "from": source}


def _data_from(given: Any, index: int, store: Store, made: Made) -> dict[str, Any] | None:
    at = f"spec.dataFrom[{index}]"
    fields = Fields(given, at, made)
    fields.without_equal(
        "sourceRef", "generators and other stores have no equal; for ECR see docs/syncedsecret.md"
    )
    entry: dict[str, Any] = {}
    if fields.take("extract") is not None:
        extract = fields.section("extract")
        entry["extract"] = _source(extract, store)
        extract.without_equal("property", "the whole secret is taken; take single properties with spec.data")
        entry["decode"] = _decode(extract, f"{at}.extract", made)
        extract.end()
    converted = False
    if fields.take("find") is not None:
        find = fields.section("find")
        entry["find"] = _find(find, store, made, f"{at}.find")
        entry["decode"] = _decode(find, f"{at}.find", made)
        find.end()
        converted = True
    steps = [
        _rewrite(step, f"{at}.rewrite[{number}]", made)
        for number, step in enumerate(fields.take("rewrite", []))
    ]
    taken = [step for step in steps if step is not None]
    entry["rewrite"] = [*taken, *([_CONVERTED] if converted else [])] or None
    fields.end()
    return entry if entry.keys() & {"extract", "find"} else None


def _find(find: Fields, store: Store, made: Made, at: str) -> dict[str, Any]:
    """What is looked for."""
    name, path = find.section("name"), find.take("path")
    regexp, tags = name.take("regexp"), find.take("tags")
    name.end()
    find.without_equal("conversionStrategy", "has no equal; see rewrite", unless="Default")
    prefix = f"{store.prefix}{path or ''}" or None
    if store.kind == "parameter":
        if tags:
            made.warn(f"{at}.tags: parameters have no list by tag, and are found by path")
        return {"path": prefix, "nameRegexp": regexp}
    if regexp is not None and store.prefix:
        made.warn(f"{at}.name.regexp is looked for in the whole name, the store's prefix included")
    return {"namePrefix": prefix, "nameRegexp": regexp, "tags": tags}


def _source(remote: Fields, store: Store) -> dict[str, Any]:
    name, version = f"{store.prefix}{remote.take('key', '')}", remote.take("version")
    remote.without_equal("metadataPolicy", "tags are not read", unless="None")
    remote.without_equal("conversionStrategy", "names are kept; see rewrite", unless="Default")
    remote.without_equal("nullBytePolicy", "values keep their bytes", unless="Ignore")
    if store.kind == "parameter":
        return {"parameter": f"{name}:{version}" if version else name}
    source: dict[str, Any] = {"secret": name}
    if version:
        text = str(version)
        source |= {"versionId": text[5:]} if text.startswith("uuid/") else {"versionStage": text}
    return source


def _decode(remote: Fields, at: str, made: Made) -> str | None:
    given = remote.take("decodingStrategy")
    if given not in {None, "None"} and given not in _DECODINGS:
        made.warn(f"{at}: decodingStrategy {given} has no equal, and is left out")
        return None
    return None if given in {None, "None"} else str(given)


def _rewrite(given: Any, at: str, made: Made) -> dict[str, str] | None:
    fields = Fields(given, at, made)
    expression = fields.take("regexp")
    for other in ("transform", "merge"):
        fields.without_equal(other, "has no equal: rewrite by patterns, or use spec.template")
    fields.end()
    if not isinstance(expression, Mapping):
        return None
    return {"pattern": str(expression.get("source", "")), "replace": str(expression.get("target", ""))}


def _target(target: Fields, made: Made) -> None:
    name, policy = target.take("name"), target.take("creationPolicy", "Owner")
    template = target.section("template")
    metadata = template.section("metadata")
    made.spec["target"] = {
        "name": name,
        "adopt": True,
        "type": template.take("type"),
        "immutable": target.take("immutable") or None,
        "labels": metadata.take("labels"),
        "annotations": metadata.take("annotations"),
    }
    metadata.without_equal("finalizers", "the Secret has none")
    metadata.end()
    if policy not in {"Owner", "Orphan"}:
        made.warn(
            f"spec.target.creationPolicy: {policy} has no equal: a SyncedSecret writes a Secret of its own"
        )
    if policy == "Orphan":
        made.warn("spec.target.creationPolicy: the Secret goes with its SyncedSecret; Orphan has no equal")
    deletion = target.take("deletionPolicy", "Retain")
    if deletion == "Delete":
        made.spec["onSourceDelete"] = "Delete"
    elif deletion != "Retain":
        made.warn(
            "spec.target.deletionPolicy: Merge has no equal; make keys optional with onSourceDelete: Delete"
        )
    target.without_equal("manifest", "Secrets alone are written")
    template.without_equal("engineVersion", "templates are Jinja's", unless="v2")
    template.without_equal("templateFrom", "write the templates into spec.template")
    merge = template.take("mergePolicy")
    texts = template.take("data", {})
    template.end()
    target.end()
    if texts:
        made.spec["template"] = {"data": _templates(texts, made), "mergePolicy": merge}


def _templates(texts: Mapping[str, Any], made: Made) -> dict[str, str]:
    """Go's templates in Jinja's language, as far as they name values alone."""
    found = {}
    for key, text in texts.items():
        plain = _GO_VALUE.sub(r"{{ \1 }}", str(text))
        if "{{" in _GO_VALUE.sub("", str(text)):
            made.warn(
                f"spec.target.template.data[{key}] does more than name values: write it anew, as "
                "docs/templates.md says"
            )
        found[key] = plain
    return found


def _steps(made: Made) -> list[str]:
    where = f" -n {made.namespace}" if made.namespace else ""
    name = made.name
    patch = '{"spec":{"target":{"creationPolicy":"Orphan","deletionPolicy":"Retain"}}}'
    return [
        f"keep the Secret: kubectl patch externalsecret {name}{where} --type merge -p '{patch}'",
        f"let go of it: kubectl delete externalsecret {name}{where} --cascade=orphan",
        f"apply the SyncedSecret, and see it take over: pierhead secrets why {name}{where}",
    ]


def _key(obj: Object) -> tuple[str, str, str]:
    metadata = obj.get("metadata") or {}
    home = "" if obj["kind"] == "ClusterSecretStore" else str(metadata.get("namespace") or "")
    return str(obj["kind"]), home, str(metadata.get("name", ""))
