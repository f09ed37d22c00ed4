"""What authors of SyncedSecrets write.

Invariant: no field ever holds a value, and everything named lives in the SyncedSecret's own namespace.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from pierhead.model import ListMap, Model, Rule, at_least_one
from pierhead.model.aws import AwsAccess
from pierhead.secrets.model.limits import MOST_EXTRACTS, MOST_KEYS, MOST_WORKLOADS
from pierhead.secrets.model.refresh import Refresh
from pierhead.secrets.model.restart import RestartPolicy, Workload
from pierhead.secrets.model.sources import DataEntry, DataFromEntry
from pierhead.secrets.model.target import Target
from pierhead.secrets.model.template import Template


class SyncedSecretSpec(Model):
    """Which values belong into which Secret, and what happens when they change."""

    __rules__: ClassVar[tuple[Rule, ...]] = (at_least_one("data", "dataFrom"),)

    suspend: bool | None = None
    """Whether to leave everything as it is: nothing is read, written or restarted. Defaults to false."""

    aws: AwsAccess | None = None
    """Where the secrets are and who reads them."""

    data: Annotated[list[DataEntry], ListMap("key")] | None = Field(default=None, max_length=MOST_KEYS)
    """Keys of the Secret, one by one."""

    data_from: list[DataFromEntry] | None = Field(default=None, max_length=MOST_EXTRACTS)
    """Keys of the Secret, many at once. A key that comes from two places is an error."""

    template: Template | None = None
    """How the Secret is made of what was read. Defaults to the keys as they are."""

    target: Target | None = None
    """The Secret that is written."""

    refresh: Refresh | None = None
    """When the values are read again."""

    on_source_delete: Literal["Retain", "Delete"] | None = None
    """What happens to the Secret when every secret it is made of is proven deleted: it stays as it is, or it
    is deleted. A denied or failed read proves nothing. Defaults to Retain."""

    restart: list[Workload] | None = Field(default=None, max_length=MOST_WORKLOADS)
    """Workloads that are restarted, once, when the values have changed."""

    restart_policy: RestartPolicy | None = None
    """How fast restarts follow changes."""
