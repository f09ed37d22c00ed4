"""Manifests that are given to a command as files.

Invariant: YAML is read as the operator reads it, and a file that is none is named.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from pierhead.cli.failures import CommandError
from pierhead.engine.resource import Object
from pierhead.kube.objects import flattened
from pierhead.model import API_VERSION


def documents(paths: Sequence[Path]) -> list[Object]:
    """All objects of the files, those of lists each by itself; `-` is standard input."""
    found: list[Object] = []
    for path in paths:
        try:
            text = sys.stdin.read() if str(path) == "-" else path.read_text()
            found += [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path}: {error}") from None
        except yaml.YAMLError as error:
            raise CommandError(f"{path} is not YAML: {error}") from None
    if not all(isinstance(obj, dict) and isinstance(obj.get("metadata", {}), dict) for obj in found):
        raise CommandError("a document is no Kubernetes object")
    return list(flattened(found))


def app_release_of(objects: Sequence[Object], name: str | None) -> Object:
    """The only AppRelease among objects, or the one of a name."""
    found = [
        obj
        for obj in objects
        if (obj.get("apiVersion"), obj.get("kind")) == (API_VERSION, "AppRelease")
        and (obj.get("metadata") or {}).get("name")
        and name in {None, obj["metadata"]["name"]}
    ]
    if len(found) == 1:
        return found[0]
    what = f"AppRelease {name}" if name else "AppRelease"
    if not found:
        raise CommandError(f"the files hold no {what}")
    names = ", ".join(obj["metadata"]["name"] for obj in found)
    raise CommandError(f"the files hold several AppReleases ({names}): give the name of one")
