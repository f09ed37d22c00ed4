"""The end of background tasks.

Invariant: when `ended` returns, nothing of the tasks runs any more, whatever they raised.
"""

import asyncio
from typing import Any


async def ended(*tasks: "asyncio.Future[Any] | None") -> None:
    """Cancels what runs of these, and waits for its end; None stands for what was never begun."""
    begun = [task for task in tasks if task is not None]
    for task in begun:
        task.cancel()
    await asyncio.gather(*begun, return_exceptions=True)
