"""One kind's CustomResourceDefinition.

Invariant: every kind has the same frame: namespaced, one served and stored version, a status subresource,
and a spec that is required.
"""

from typing import Any

from pierhead.crds.schema import Schema, structural
from pierhead.model import GROUP, VERSION, Column, CustomResource

_API_VERSION_TEXT = "The version of the schema this object is written in."
_KIND_TEXT = "The kind of this object."


def definition(resource: CustomResource[Any]) -> dict[str, Any]:
    """The CRD as JSON.

    Raises SchemaError.
    """
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": resource.kind,
                "listKind": f"{resource.kind}List",
                "plural": resource.plural,
                "singular": resource.singular or resource.kind.lower(),
                "shortNames": list(resource.short_names),
                "categories": list(resource.categories),
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [_column(column) for column in resource.columns],
                    "schema": {"openAPIV3Schema": schema(resource)},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


def schema(resource: CustomResource[Any]) -> Schema:
    """The whole object's structural schema.

    Raises SchemaError.
    """
    spec = structural(resource.spec)
    root: Schema = {
        "description": " ".join(resource.description.split()) or spec.get("description", ""),
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": _API_VERSION_TEXT},
            "kind": {"type": "string", "description": _KIND_TEXT},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": structural(resource.status),
        },
    }
    if resource.name_limit < CustomResource.NAME_LIMIT:
        root["x-kubernetes-validations"] = [
            {
                "rule": f"size(self.metadata.name) <= {resource.name_limit}",
                "message": f"metadata.name must be no longer than {resource.name_limit} characters",
            }
        ]
    return root


def _column(column: Column) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": column.name, "type": column.type, "jsonPath": column.path}
    if column.description:
        entry["description"] = column.description
    if column.priority:
        entry["priority"] = column.priority
    return entry
