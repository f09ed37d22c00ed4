"""An event loop whose clock jumps to the next timer: minutes of waiting in a test take no time.

A loop that has nothing to run and nothing to wait for raises instead of hanging.
"""

import asyncio
import functools
import selectors
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


class _JumpingSelector(selectors.DefaultSelector):
    """Reports what is ready at once and books the time it would have waited."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.outside = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout != 0 and self.outside:
            return super().select(None)
        if not ready:
            if timeout is None:
                raise RuntimeError("every task waits for something that nothing left can bring")
            self.now += max(timeout, 0.0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 0 and moves only when everything waits."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """Time does not pass while something outside of the loop is waited for, which will wake it."""
        self._jumping.outside += 1
        try:
            yield
        finally:
            self._jumping.outside -= 1


def virtual_time(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Makes an async test run on a loop with virtual time."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


def now() -> float:
    """The running loop's clock."""
    return asyncio.get_running_loop().time()


async def settle() -> None:
    """Lets everything that can run without the clock moving run."""
    for _ in range(50):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], *, within: float = 3600.0, step: float = 0.05) -> float:
    """Waits, on the loop's clock, for a condition that no event announces; the time it came true."""
    deadline = now() + within
    while not condition():
        if now() > deadline:
            raise AssertionError(f"not within {within} s")
        await asyncio.sleep(step)
    return now()


async def cancelled(task: "asyncio.Task[Any] | asyncio.Future[Any]") -> None:
    """Cancels a task and waits for its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def returned(value: Awaitable[Any]) -> Any:
    """What an awaitable gives; for lambdas."""
    return await value
