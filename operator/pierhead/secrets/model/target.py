"""The Secret that is written.

Invariant: what an author can say of it is its name, type, labels, annotations and whether it can change; its
owner, finalizers and what the control plane acts on are out of reach.
"""

import re
from typing import Annotated, ClassVar, Final

from pydantic import Field, StringConstraints

from pierhead.model import DNSSubdomain, Model, Rule

DEFAULT_TYPE: Final = "Opaque"

TLS: Final = "kubernetes.io/tls"
DOCKER_CONFIG_JSON: Final = "kubernetes.io/dockerconfigjson"
DOCKER_CONFIG: Final = "kubernetes.io/dockercfg"
BASIC_AUTH: Final = "kubernetes.io/basic-auth"
SSH_AUTH: Final = "kubernetes.io/ssh-auth"
KUBERNETES_TYPES: Final = (BASIC_AUTH, DOCKER_CONFIG, DOCKER_CONFIG_JSON, SSH_AUTH, TLS)
"""Types of Kubernetes' own that hold what somebody gives. Others, such as service-account-token and
bootstrap.kubernetes.io/token, the control plane writes tokens into or trusts."""

HELM_RELEASE: Final = "helm.sh/release.v1"
"""Helm's history, which decides what a rollback applies."""

_KUBERNETES = "^([^/]*[.])?(kubernetes|k8s)[.]io(/|$)"
_RESERVED = "^(([^/]*[.])?pierhead[.]dev|(kubectl[.])?kubernetes[.]io)/"

MOST_LABELS: Final = 16

LabelKey = Annotated[
    str,
    StringConstraints(
        min_length=1,
        max_length=317,
        pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$",
    ),
]
LabelValue = Annotated[
    str, StringConstraints(max_length=63, pattern=r"^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$")
]
AnnotationValue = Annotated[str, StringConstraints(max_length=4096)]


def _type_allowed(target: "Target") -> bool:
    return target.type in {None, *KUBERNETES_TYPES} or (
        target.type != HELM_RELEASE and not re.match(_KUBERNETES, target.type or "")
    )


def _free(field: str) -> Rule:
    return Rule(
        f"!has(self.{field}) || self.{field}.all(key, !key.matches('{_RESERVED}'))",
        f"{field} must not be of pierhead.dev, kubernetes.io or kubectl.kubernetes.io",
        lambda target: not any(re.match(_RESERVED, key) for key in getattr(target, field) or ()),
    )


class Target(Model):
    """The Secret that is written."""

    __rules__: ClassVar[tuple[Rule, ...]] = (
        Rule(
            f"!has(self.type) || self.type in {list(KUBERNETES_TYPES)}"
            f" || (self.type != '{HELM_RELEASE}' && !self.type.matches('{_KUBERNETES}'))",
            f"type must not be {HELM_RELEASE}, nor one of kubernetes.io or k8s.io except "
            f"{', '.join(KUBERNETES_TYPES)}",
            _type_allowed,
        ),
        _free("labels"),
        _free("annotations"),
    )

    name: DNSSubdomain | None = None
    """Name of the Secret. Defaults to the SyncedSecret's own."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=253)] | None = None
    """Type of the Secret, such as kubernetes.io/tls. A change makes the Secret anew. Defaults to Opaque."""

    immutable: bool | None = None
    """Whether the Secret can never be changed, so that kubelets need not watch it. New values make the Secret
    anew then, and so does a change of this field to false. Defaults to false."""

    labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=MOST_LABELS)] | None = None
    """Labels of the Secret. Those of the SyncedSecret itself are not copied. Defaults to none."""

    annotations: Annotated[dict[LabelKey, AnnotationValue], Field(max_length=MOST_LABELS)] | None = None
    """Annotations of the Secret. Those of the SyncedSecret itself are not copied. Defaults to none."""

    adopt: bool | None = None
    """Whether a Secret of that name that is nobody's may be taken over, other keys in it removed.
    Defaults to false: it is left as it is and the SyncedSecret is not Ready."""
