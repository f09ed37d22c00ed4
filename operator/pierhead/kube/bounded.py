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
    """The results in order, of at most `limit` at once; the first exception ends them all."""
    semaphore = asyncio.Semaphore(limit)

    async def bounded(task: Awaitable[_T]) -> _T:
        async with semaphore:
            return await task

    async with asyncio.TaskGroup() as group:
        started = [group.create_task(bounded(task)) for task in tasks]
    return [task.result() for task in started]
