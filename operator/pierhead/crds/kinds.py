"""Every kind of ours, in the order they are documented."""

from typing import Any

from pierhead.apps.model import RESOURCE as APP_RELEASE
from pierhead.model import CustomResource

RESOURCES: tuple[CustomResource[Any], ...] = (APP_RELEASE,)
