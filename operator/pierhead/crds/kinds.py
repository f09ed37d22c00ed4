"""Every kind of ours, in the order they are documented."""

from typing import Any

from pierhead.apps.model import RESOURCE as APP_RELEASE
from pierhead.batch.model import RESOURCE as BATCH_JOB
from pierhead.model import CustomResource
from pierhead.secrets.model import RESOURCE as SYNCED_SECRET
from pierhead.triggers.model import RESOURCE as EVENT_TRIGGER

RESOURCES: tuple[CustomResource[Any], ...] = (APP_RELEASE, SYNCED_SECRET, BATCH_JOB, EVENT_TRIGGER)
