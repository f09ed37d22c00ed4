"""AWS as the person who typed a command: their credentials, profile and region.

Invariant: endpoints, credentials and regions come from AWS's usual places, and none of pierhead's settings
is looked at.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pierhead.aws.errors import AwsError
from pierhead.aws.session import AwsClient, AwsSessions, usual_region
from pierhead.cli.failures import CommandError
from pierhead.settings import Settings

_THREADS = 4


def region_of(given: str | None) -> str:
    """The region that is meant. Raises CommandError where none is."""
    try:
        found = given or usual_region()
    except AwsError as error:
        raise CommandError(str(error)) from None
    if not found:
        raise CommandError("which region? give --region, or set AWS_REGION")
    return found


@asynccontextmanager
async def in_region(region: str, service: str = "secretsmanager") -> AsyncIterator[AwsClient]:
    """A client of one service in one region."""
    async with sessions_in(region) as sessions:
        yield sessions.client(service)


@asynccontextmanager
async def sessions_in(region: str) -> AsyncIterator[AwsSessions]:
    """Clients of several services in one region."""
    # Not Settings(): the operator's variables mean nothing here.
    sessions = AwsSessions(Settings.model_construct(aws_region=region, aws_threads=_THREADS))
    try:
        yield sessions
    finally:
        await sessions.close()
