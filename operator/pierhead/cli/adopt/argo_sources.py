"""The sources of an Argo CD Application as those of an AppRelease.

Invariant: pure. A revision that may be a branch or a tag is taken for what it looks like, and a warning says
so. Source: Argo CD, its reference of an Application and its guide to multiple sources.
"""

import posixpath
from collections.abc import Mapping
from typing import Any

from pierhead.apps.inputs import values as helm_values
from pierhead.cli.adopt.translation import Fields, Translation, is_commit, is_exact, path_of, version_of
from pierhead.cli.failures import CommandError

_RANGE_MARKS = frozenset("*^~<>=| ")


def repository(source: Fields, made: Translation) -> dict[str, Any]:
    """`spec.source` of one source, without what is made of its files."""
    url, revision = str(source.take("repoURL", "")), str(source.take("targetRevision", "") or "")
    chart = source.take("chart")
    if url.startswith("oci://") or (chart and "://" not in url):
        whole = url if url.startswith("oci://") else f"oci://{url}"
        address = f"{whole.rstrip('/')}/{chart}" if chart else whole
        chosen = version_of(revision)
        return {"oci": {"url": address, **({"tag": chosen["version"]} if "version" in chosen else chosen)}}
    if chart:
        return {"helmRepository": {"url": url.rstrip("/"), "chart": chart, **version_of(revision)}}
    made.warn(f"credentials for {url} are in Argo CD's repository Secret: name one in spec.source.git.secret")
    return {"git": {"url": _git_url(url), "ref": _reference(revision, made)}}


def _git_url(url: str) -> str:
    """Also `git@host:path`, as the URL it means."""
    if "://" in url or ":" not in url:
        return url
    host, _, path = url.partition(":")
    return f"ssh://{host}/{path}"


def _reference(revision: str, made: Translation) -> dict[str, str] | None:
    if revision in {"", "HEAD"}:
        return None
    if is_commit(revision):
        return {"commit": revision}
    for prefix, name in (("refs/heads/", "branch"), ("refs/tags/", "tag")):
        if revision.startswith(prefix):
            return {name: revision.removeprefix(prefix)}
    if _RANGE_MARKS & set(revision):
        return {"semver": revision}
    name = "tag" if is_exact(revision) else "branch"
    made.warn(f"targetRevision {revision} is taken for a {name}")
    return {name: revision}


def helm_of(
    given: Fields, path: str, references: Mapping[str, Mapping[str, Any]], made: Translation
) -> dict[str, Any]:
    """`spec.helm` of a chart at `path`; files of `references` are sources that are only named.

    Values win in Argo CD's order: files, `values`, `valuesObject`, parameters.
    """
    helm: dict[str, Any] = {"path": path if path != "." else None}
    _value_files(given.take("valueFiles", []), path, references, helm, made)
    written = given.take("values")
    layers = [helm_values.parse(written, field="helm.values")] if written else []
    merged = helm_values.merge([*layers, given.take("valuesObject", {})])
    for parameter in given.take("parameters", []):
        value = parameter.get("value", "")
        plain = value if parameter.get("forceString") else _scalar(value)
        merged = helm_values.set_at(merged, parameter["name"], plain, field="helm.parameters")
    helm["values"] = merged or None
    helm["crds"] = "Skip" if given.take("skipCrds") else None
    given.without_equal("fileParameters", "write what is in the files into values")
    given.without_equal("ignoreMissingValueFiles", "a values file that is missing is an error")
    given.without_equal("skipSchemaValidation", "values are judged by the chart's schema")
    for name in ("passCredentials", "skipTests", "version"):
        given.take(name)
    for name in ("kubeVersion", "apiVersions"):
        given.without_equal(name, "templates see the cluster's own")
    given.end()
    return helm


def _value_files(
    files: list[str],
    path: str,
    references: Mapping[str, Mapping[str, Any]],
    helm: dict[str, Any],
    made: Translation,
) -> None:
    of_source, of_overlay = [], []
    for file in files:
        if file.startswith("$"):
            name, _, rest = file[1:].partition("/")
            if name not in references:
                raise CommandError(f"helm.valueFiles: no source is called {name}")
            of_overlay.append((name, path_of(rest)))
        elif "://" in file:
            made.warn(f"helm.valueFiles: {file} is not fetched: write its values into the AppRelease")
        else:
            whole = file.lstrip("/") if file.startswith("/") else posixpath.join(path, file)
            of_source.append(path_of(posixpath.normpath(whole)))
    if len({name for name, _ in of_overlay}) > 1:
        raise CommandError("helm.valueFiles name files of several other sources, and an AppRelease has one")
    helm["valuesFiles"] = of_source or None
    helm["valuesFrom"] = [{"file": {"path": file, "from": "Overlay"}} for _, file in of_overlay] or None
    if of_source and of_overlay and _is_mixed(files):
        made.warn("helm.valueFiles: files of the chart's own source come before those of the other")


def _is_mixed(files: list[str]) -> bool:
    """Whether a file of the source itself comes after one of another."""
    kinds = [file.startswith("$") for file in files]
    return kinds != sorted(kinds)


def _scalar(text: str) -> Any:
    """A parameter as `helm --set` reads it: whole numbers, booleans and null are no texts."""
    known = {"true": True, "false": False, "null": None}
    if text in known:
        return known[text]
    digits = text.removeprefix("-")
    return int(text) if digits.isdecimal() and (digits == "0" or digits[0] != "0") else text
