"""Many requests at once, but not all.

Invariant: at most the given number of them is under way at any moment.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from typing import TypeVar

CONCURRENCY = 16
"""Requests of one plan, apply or prune under way at once."""

_T = TypeVar("_T")


async def gathered(tasks: Iterable[Awaitable[_T]], limit: int) -> list[_T]:
    """The results in order, of at most `limit` at once; the first exception ends them all, and is raised."""
    semaphore = asyncio.Semaphore(limit)

    async def bounded(task: Awaitable[_T]) -> _T:
        async with semaphore:
            return await task

    try:
        async with asyncio.TaskGroup() as group:
            started = [group.create_task(bounded(task)) for task in tasks]
    except ExceptionGroup as errors:
        first = errors.exceptions[0]
    else:
        return [task.result() for task in started]
    # Outside the `except`: a group means nothing to whoever decides what an error is worth.
    raise first
