"""Which objects are about to read, and what: so that one answer serves all of them.

Invariant: nothing but names is known here, by the spec's own words, and only to decide how long an answer is
held and who goes first; a name too many or too few costs a call or a moment, never a wrong value. An object
counts from the moment it is due until the end of the pass that began after it, or until it is forgotten.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import Object, ObjectKey


class Due:
    """The objects that are due or being reconciled, by the names of what they read."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._hurry: Wake = lambda _key: None
        self._sweep: Callable[[], None] = lambda: None
        self._names: dict[ObjectKey, tuple[str, ...]] = {}
        self._since: dict[ObjectKey, float] = {}
        self._running: set[ObjectKey] = set()
        self._by_name: dict[str, set[ObjectKey]] = {}
        self._told: set[str] = set()
        self._groups: dict[ObjectKey, str] = {}

    def start(self, hurry: Wake, sweep: Callable[[], None]) -> None:
        """`hurry` lets an object go next, `sweep` drops the answers that nobody is due for any more."""
        self._hurry = hurry
        self._sweep = sweep

    def learn(self, key: ObjectKey, obj: Object) -> None:
        """The object is new or has changed: it is due since now."""
        self._leave(key)
        self._names[key] = named(obj.get("spec"))
        self.add(key)

    def add(self, key: ObjectKey, since: float | None = None) -> None:
        """The object is due; its next pass wants answers of calls begun at `since` (now) or later."""
        moment = self._clock() if since is None else since
        self._since[key] = max(moment, self._since.get(key, moment))
        for name in self._names.get(key, ()):
            self._by_name.setdefault(name, set()).add(key)

    def hurry(self, key: ObjectKey) -> None:
        """The object, which was woken, goes next among those of its priority."""
        self._hurry(key)

    def begin(self, key: ObjectKey) -> float:
        """A pass over the object begins; the moment since which it is due."""
        if key not in self._since:
            self.add(key)
        self._running.add(key)
        return self._since.pop(key)

    def served(self, key: ObjectKey) -> None:
        """The object has its answers: those that wait for the same ones, which are held for them, go next."""
        for name in self._names.get(key, ()):
            waiting = self._by_name.get(name, set()) - self._running
            if waiting and name not in self._told:
                self._told.add(name)
                for other in waiting:
                    self._hurry(other)

    def end(self, key: ObjectKey) -> None:
        """The pass over the object is over."""
        self._running.discard(key)
        if key not in self._since:
            self._leave(key)

    def forget(self, key: ObjectKey) -> None:
        """The object is gone."""
        self._since.pop(key, None)
        self._leave(key)
        self._names.pop(key, None)
        self._groups.pop(key, None)

    def wanted(self, name: str) -> bool:
        """Whether somebody is due to read this."""
        return name in self._by_name

    def group(self, key: ObjectKey) -> str | None:
        """Objects of one group read the same: the first of the names, as good as any, or as `gather` said."""
        return self._groups.get(key) or next(iter(self._names.get(key, ())), None)

    def gather(self, key: ObjectKey, group: str | None) -> None:
        """The object is of this group; None: of that of its names."""
        if group is None:
            self._groups.pop(key, None)
        else:
            self._groups[key] = sys.intern(group)

    def _leave(self, key: ObjectKey) -> None:
        unwanted = False
        for name in self._names.get(key, ()):
            keys = self._by_name.get(name, set())
            keys.discard(key)
            if not keys and self._by_name.pop(name, None) is not None:
                self._told.discard(name)
                unwanted = True
        if unwanted:
            self._sweep()


def named(spec: Any) -> tuple[str, ...]:
    """The secrets and parameters that a spec names, as it stands, in alphabetical order."""
    lists = ((spec.get("data"), "from"), (spec.get("dataFrom"), "extract")) if _is_map(spec) else ()
    sources = (
        entry.get(field)
        for entries, field in lists
        if isinstance(entries, list)
        for entry in entries
        if _is_map(entry)
    )
    found = {
        sys.intern(source[kind])
        for source in sources
        if _is_map(source)
        for kind in ("secret", "parameter")
        if isinstance(source.get(kind), str)
    }
    return tuple(sorted(found))


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)
