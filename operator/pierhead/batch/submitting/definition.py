"""From a template to Batch's job definition.

Invariants: equal templates give the equal definition name, so a definition is registered once and reused; a
definition that is over Batch's limit is refused here, with the field at fault.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pierhead.batch.model.spec import MUTABLE
from pierhead.batch.model.template import Template
from pierhead.batch.submitting.sizes import DEFINITION_LIMIT, refuse_above
from pierhead.batch.submitting.templates import content_of
from pierhead.model import GROUP

MANAGED_BY_TAG = f"{GROUP}/managed-by"
DIGEST_TAG = f"{GROUP}/content"
NAMESPACE_TAG = f"{GROUP}/namespace"
NAME_TAG = f"{GROUP}/name"
UID_TAG = f"{GROUP}/uid"
CLUSTER_TAG = f"{GROUP}/cluster"
"""Whose a definition or a job is, among the clusters of an account; without a name nobody's."""


def definition_request(template: Template, namespace: str, cluster: str = "") -> dict[str, Any]:
    """The RegisterJobDefinition request of a template.

    Raises Invalid when it is over Batch's limit.
    """
    content = content_of(template)
    digest = hashlib.sha256(json.dumps([namespace, content], sort_keys=True).encode()).hexdigest()
    request = {
        "jobDefinitionName": f"pierhead-{namespace}-{digest[:20]}",
        **content,
        "tags": {
            MANAGED_BY_TAG: "pierhead",
            DIGEST_TAG: digest,
            NAMESPACE_TAG: namespace,
            **({CLUSTER_TAG: cluster} if cluster else {}),
        },
    }
    field = f"spec.template.{next(iter(template.given()))}"
    refuse_above(DEFINITION_LIMIT, request, "a job definition", field=field)
    return request


def spec_digest(spec: Mapping[str, Any]) -> str:
    """Digest of the fields of a stored spec that cannot be changed."""
    fixed = {name: value for name, value in spec.items() if name not in MUTABLE}
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:32]
