"""What is restarted when values change."""

from typing import Literal

from pierhead.model import DNSSubdomain, Model


class Workload(Model):
    """What uses the Secret."""

    kind: Literal["Deployment", "StatefulSet", "DaemonSet"]
    """Kind of the workload."""

    name: DNSSubdomain
    """Its name."""
