"""What a kind gives the engine.

Invariant: the engine calls `reconcile` for one object at a time per key, after the first complete list
of the kind, and calls `forget` between two objects of one name.
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from pierhead.engine.outcome import Outcome
from pierhead.engine.resource import Kind, Object, ObjectKey, Resource

Wake = Callable[[ObjectKey], None]
"""Makes a key due because something it depends on moved. Called in the event loop's thread."""


class Reconciler(Protocol):
    """One kind's behaviour. Level-triggered: it looks at how things are, never at what happened."""

    @property
    def kind(self) -> Kind:
        """What it reconciles."""
        ...

    async def reconcile(self, resource: Resource) -> Outcome:
        """Brings the world one step nearer to the object; the same for create, update, restart and delete.

        Does not wait for the world: it ends with an Outcome that says when to look again, or raises a
        `ReconcileError`. A settled object is reconciled without a write. An object under deletion comes
        here until its finalizer of ours is gone.
        """
        ...

    def forget(self, key: ObjectKey) -> None:
        """The object is gone: drops what is in memory about it. May be called for unknown keys."""
        ...

    async def start(self, wake: Wake) -> None:
        """Starts the kind's background tasks; `wake` may be called from now on."""
        ...

    async def stop(self) -> None:
        """Ends the background tasks. Called once no reconcile runs any more."""
        ...


@runtime_checkable
class Expecting(Protocol):
    """A reconciler that hears of an object before its turn, so that objects can share what they read."""

    def hurry_with(self, hurry: Wake) -> None:
        """Is given what makes a waiting object the next of its priority. Called once, before all else."""
        ...

    def expect(self, key: ObjectKey, obj: Object) -> None:
        """The object is new or has changed, and waits to be reconciled. Cheap; the object may be invalid."""
        ...
