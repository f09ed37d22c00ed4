"""Every setting of the operator, from the environment.

Invariant: nothing else reads the environment, and each field's docstring is the text of the chart's
`values.yaml` and of `docs/settings.md`. Variables are `PIERHEAD_` and the field's name in capitals;
structured values are JSON.
"""

from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_settings import BaseSettings, SettingsConfigDict


def _network(text: str) -> str:
    ip_network(text)
    return text


class Settings(BaseSettings):
    """How this operator runs; what its users may do is in here too, never in their objects."""

    model_config = SettingsConfigDict(
        env_prefix="PIERHEAD_", frozen=True, extra="ignore", use_attribute_docstrings=True
    )

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    """Least level that is logged. No level logs a secret value."""

    log_format: Literal["json", "text"] = "json"
    """One JSON object a line, or text for people."""

    namespace: str = "pierhead-system"
    """The operator's own namespace: its Lease and nothing else of a tenant's is there."""

    watch_namespaces: tuple[str, ...] = ()
    """Namespaces to work in; empty means all. With names given, namespaced Roles are enough."""

    kinds: tuple[Literal["AppRelease", "SyncedSecret", "BatchJob", "EventTrigger"], ...] = (
        "AppRelease",
        "SyncedSecret",
        "BatchJob",
        "EventTrigger",
    )
    """Kinds to reconcile."""

    workers: int = Field(default=32, ge=1, le=256)
    """Objects of one kind reconciled at once."""

    resync_seconds: float = Field(default=1200, ge=30)
    """Mean time between full relists of a kind, spread by a quarter either way."""

    leader_election: bool = True
    """Whether to hold a Lease before reconciling. Off only where a second operator cannot exist."""

    lease_name: str = "pierhead-leader"
    """Name of the Lease in the operator's namespace."""

    probe_address: Annotated[str, StringConstraints(pattern=r":\d{1,5}$")] = "0.0.0.0:8080"
    """`host:port` that serves /livez, /readyz and /metrics."""

    kubernetes_connections: int = Field(default=32, ge=4)
    """Most requests to the API server under way; watches and the Lease have connections of their own."""

    default_service_account: str = "default"
    """Account of the AppRelease's own namespace that acts for it when it names none."""

    operator_identity_namespaces: tuple[str, ...] = ()
    """Namespaces whose AppReleases act with the operator's own rights when they name no account."""

    aws_region: str = "us-east-1"
    """Region of every AWS call whose object names none."""

    cluster_name: str = Field(default="", max_length=100, pattern=r"^[0-9A-Za-z_-]*$")
    """Name that EKS has for this cluster: EKS Pod Identity of tenants' ServiceAccounts needs it, and with it
    sessions of assumed roles carry the tag `eks-cluster-name`."""

    aws_policy: tuple[dict[str, object], ...] = ()
    """What namespaces may use of AWS beside what carries their own name; see `docs/tenancy.md`."""

    aws_threads: int = Field(default=32, ge=1, le=128)
    """Threads for AWS calls, which is also the most AWS calls under way."""

    ecr_events_queue_url: str = ""
    """URL of an SQS queue that EventBridge puts ECR's events into; without one, repositories are polled."""

    secret_events_queue_url: str = ""
    """URL of an SQS queue that EventBridge puts events of Secrets Manager and Parameter Store into; without
    one, SyncedSecrets are polled. `pierhead secrets events install` makes it."""

    secret_events_accounts: tuple[Annotated[str, StringConstraints(pattern=r"^[0-9]{12}$")], ...] = ()
    """Accounts whose events are listened to; empty means the queue's own."""

    secret_events_regions: tuple[str, ...] = ()
    """Regions whose events are listened to; empty means the queue's own."""

    secret_events_poll_seconds: float = Field(default=43200, ge=60)
    """Refresh interval while events arrive, which finds what none told of: 6 to 24 h are sensible."""

    secret_events_probe_seconds: float = Field(default=300, ge=1)
    """Time between the events that pierhead sends itself to know that events arrive."""

    secret_poll_seconds: float = Field(default=3600, ge=5)
    """Refresh interval of a SyncedSecret that names none."""

    secret_stale_intervals: float = Field(default=3, ge=1)
    """Number of refresh intervals without a good read after which a Secret is told to be stale."""

    secret_stale_seconds: float = Field(default=900, ge=0)
    """Least time without a good read after which a Secret is told to be stale."""

    restart_window_seconds: float = Field(default=5, ge=0, le=86400)
    """Time from a change of values to the restart of workloads: changes within it are one rollout."""

    restarts_at_once: int = Field(default=20, ge=1)
    """Most rollouts that SyncedSecrets have started and that are under way."""

    restarts_at_once_per_namespace: int = Field(default=5, ge=1)
    """The same, in one namespace."""

    restart_deadline_seconds: float = Field(default=600, ge=1)
    """How long the rollout of a restarted StatefulSet or DaemonSet may make no progress before it has failed;
    Deployments have their own progressDeadlineSeconds."""

    batch_poll_seconds: float = Field(default=15, ge=0.2)
    """Time between looks at the running jobs of a queue."""

    batch_events_queue_url: str = ""
    """URL of an SQS queue that EventBridge puts Batch's events into: the end of a job is noticed at once, and
    not at the next poll."""

    batch_settle_seconds: float = Field(default=60, ge=0)
    """How long an ambiguous SubmitJob is looked up by name before it is sent again."""

    batch_definition_retention_seconds: float = Field(default=86400, ge=60)
    """How long a job definition that pierhead registered is kept once no BatchJob uses it any more. Collected
    only where `cluster_name` is set, since clusters of one account may share definitions."""

    renderer_path: Path = Path("/usr/local/bin/pierhead-renderer")
    """The renderer's program."""

    renderer_processes: int = Field(default=2, ge=1, le=32)
    """Most renderer processes, and renders under way: one is always there, others while renders wait."""

    renderer_memory_mib: int = Field(default=256, ge=64)
    """Memory limit of one renderer process."""

    renderer_deadline_seconds: float = Field(default=30, gt=0)
    """Time limit of one render."""

    artifact_directory: Path = Path("/tmp/pierhead")  # noqa: S108 (an emptyDir in the chart)
    """Where fetched sources are unpacked; holds nothing that cannot be fetched again."""

    artifact_cache_mib: int = Field(default=512, ge=16)
    """Size bound of that folder."""

    source_poll_seconds: float = Field(default=300, ge=1)
    """Time between looks at a source that names no interval."""

    refused_source_networks: tuple[Annotated[str, AfterValidator(_network)], ...] = (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "::/127",
        "fd00:ec2::/32",
        "fe80::/10",
        "ff00::/8",
    )
    """Networks that no source of an AppRelease may be in: out of the box the operator's own host and the
    cloud's metadata, which must not answer to a tenant. Add what only the operator should reach."""

    allow_file_sources: bool = False
    """Whether `file://` sources are allowed: only where every tenant may read the operator's disk."""
