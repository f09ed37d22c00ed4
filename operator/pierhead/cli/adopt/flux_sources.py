"""Flux's sources as those of an AppRelease.

Invariant: pure; the Secret that a source names has the keys an AppRelease's source reads, or a warning says
which it lacks. Source: Flux source-controller, docs/spec/v1.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pierhead.cli.adopt.translation import Fields, Translation, version_of
from pierhead.cli.failures import CommandError
from pierhead.engine.resource import Object

_FETCHED = "is a matter of how Flux fetches"
_IGNORED = ("interval", "timeout", "suspend", "accessFrom")


def source_of(
    found: Object, translation: Translation, *, chart: str = "", version: str = ""
) -> dict[str, Any]:
    """`spec.source` for a Flux source; `chart` and `version` are of the HelmRelease that names it.

    Raises CommandError for a kind of source that an AppRelease has no equal of.
    """
    kind = found["kind"]
    makers: Mapping[str, Callable[[Fields, Translation], dict[str, Any]]] = {
        "GitRepository": lambda given, _: _git(given),
        "OCIRepository": _oci,
        "Bucket": _bucket,
    }
    fields = Fields(found.get("spec"), f"{kind} {found['metadata']['name']}: spec", translation)
    for name in _IGNORED:
        fields.take(name)
    if kind == "HelmRepository":
        made = _helm_repository(fields, translation, chart, version)
    elif kind in makers:
        made = makers[kind](fields, translation)
    else:
        raise CommandError(f"a source of kind {kind} has no equal in an AppRelease")
    fields.end()
    _tell_of_secrets(found, made, translation)
    return made


def _git(fields: Fields) -> dict[str, Any]:
    reference = fields.section("ref")
    given = {name: reference.take(name) for name in ("commit", "semver", "tag", "branch")}
    # A commit wins over a range, that over a tag, that over a branch, which is then only where to look.
    chosen = next(((name, value) for name, value in given.items() if value), ("branch", "master"))
    name = reference.take("name")
    if name:
        kind, _, short = name.removeprefix("refs/").partition("/")
        chosen = ({"heads": "branch", "tags": "tag"}.get(kind, "branch"), short)
    reference.end()
    url = fields.take("url", "")
    fields.take("provider")
    fields.without_equal(
        "include", "an AppRelease has one source and one overlay: put the files together in Git"
    )
    fields.without_equal("ignore", "files are not left out of a source")
    fields.without_equal("sparseCheckout", "the whole repository is fetched")
    fields.without_equal("verify", "signatures of commits are not verified")
    return {
        "git": {
            "url": url,
            "ref": {chosen[0]: chosen[1]},
            "secret": _secret(fields),
            "submodules": True if fields.take("recurseSubmodules") else None,
        }
    }


def _oci(fields: Fields, translation: Translation) -> dict[str, Any]:
    reference = fields.section("ref")
    given = {name: reference.take(name) for name in ("digest", "semver", "tag")}
    chosen = next(((name, value) for name, value in given.items() if value), ("tag", "latest"))
    reference.without_equal("semverFilter", "tags are not filtered before the range is applied")
    reference.end()
    _tell_of_provider(fields, translation)
    fields.without_equal("layerSelector", "the chart, or else the first layer, is taken")
    fields.without_equal("ignore", "files are not left out of a source")
    fields.without_equal("verify", "write spec.source.oci.verify with the key of the signature")
    fields.without_equal("serviceAccountName", "name a Secret in spec.source.oci.secret, or spec.aws")
    fields.without_equal("certSecretRef", "put `ca.crt` into the source's Secret")
    return {
        "oci": {
            "url": fields.take("url", ""),
            chosen[0]: chosen[1],
            "secret": _secret(fields),
            "insecure": True if fields.take("insecure") else None,
        }
    }


def _bucket(fields: Fields, translation: Translation) -> dict[str, Any]:
    provider = fields.take("provider", "generic")
    if provider == "gcp":
        raise CommandError("a Bucket of provider gcp has no equal in an AppRelease")
    region = fields.take("region")
    if region:
        translation.spec.setdefault("aws", {})["region"] = region
    endpoint = str(fields.take("endpoint", ""))
    fields.without_equal("ignore", "files are not left out of a source")
    made = {"name": fields.take("bucketName", ""), "prefix": fields.take("prefix")}
    if provider == "azure":
        account = endpoint.partition("://")[2].partition(".")[0]
        secret = _secret(fields)
        if secret:
            translation.warn(
                f"Secret {secret['name']} needs accountKey, sasKey, or tenantId and clientSecret"
            )
        return {"bucket": {**made, "azure": {"account": account, "secret": secret}}}
    if provider == "generic" and "amazonaws.com" not in endpoint:
        translation.warn(f"Bucket: the endpoint {endpoint} is not Amazon's: only S3 itself is read")
    fields.without_equal("secretRef", "an AppRelease reads S3 as spec.aws says, with no static key")
    return {"bucket": made}


def _helm_repository(fields: Fields, translation: Translation, chart: str, version: str) -> dict[str, Any]:
    url = str(fields.take("url", "")).rstrip("/")
    fields.take("type")
    fields.without_equal("passCredentials", "credentials go to the repository's own host alone")
    fields.without_equal("certSecretRef", "put `ca.crt` into the source's Secret")
    insecure = True if fields.take("insecure") else None
    secret = _secret(fields)
    _tell_of_provider(fields, translation)
    chosen = version_of(version)
    if not url.startswith("oci://"):
        return {"helmRepository": {"url": url, "chart": chart, **chosen, "secret": secret}}
    tagged = {"tag": chosen["version"]} if "version" in chosen else chosen
    return {"oci": {"url": f"{url}/{chart}", **tagged, "secret": secret, "insecure": insecure}}


def _secret(fields: Fields) -> dict[str, str] | None:
    reference: Mapping[str, str] | None = fields.take("secretRef")
    return {"name": reference["name"]} if reference else None


def _tell_of_provider(fields: Fields, translation: Translation) -> None:
    provider = fields.take("provider", "generic")
    if provider not in {"generic", "aws"}:
        translation.warn(f"provider {provider} {_FETCHED}: only AWS and plain credentials are known here")


def _tell_of_secrets(found: Object, made: Mapping[str, Any], translation: Translation) -> None:
    source = next(iter(made.values()))
    namespace = found["metadata"].get("namespace", translation.namespace)
    if source.get("secret") and namespace != translation.namespace:
        name = source["secret"]["name"]
        translation.warn(
            f"Secret {namespace}/{name} is of another namespace: copy it to {translation.namespace}, "
            "references do not leave an AppRelease's own"
        )
