"""The images of one AppRelease: what its policies choose now.

Invariant: a choice that the status tells of stands until the repository says otherwise, so neither a restart
nor an outage of ECR changes what is deployed; unless a newer revision was begun than the status tells of,
whose choice it does not know and must not undo. Every repository passes the namespace's policy before it is
looked at.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pierhead.apps.aws import AwsScopes
from pierhead.apps.images.choice import Choice, Held, Judged, Nothing, choose
from pierhead.apps.images.pins import Pin
from pierhead.apps.images.registries import EcrImages, OCIImages, Registry
from pierhead.apps.images.repositories import Place, Repositories, View
from pierhead.apps.inputs.accesses import Accesses
from pierhead.apps.inputs.references import Reader
from pierhead.apps.model.images import ImageUpdate
from pierhead.apps.model.sources import OCISource, Source
from pierhead.apps.sources.fetcher import FETCHING
from pierhead.apps.sources.oci import OCIFetcher
from pierhead.aws.images import Repository
from pierhead.aws.queues import EventQueue
from pierhead.engine.outcome import Invalid, ReconcileError, Transient, Waiting
from pierhead.engine.reconciler import Wake
from pierhead.engine.resource import ObjectKey
from pierhead.model import seconds
from pierhead.model.aws import AwsAccess

_DIGITS = 20
_HELD_SHOWN = 3
_REASON_LIMIT = 128


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is chosen for all images of an AppRelease."""

    pins: tuple[Pin, ...] = ()
    status: tuple[Mapping[str, Any], ...] = ()
    """`status.images`."""

    failure: ReconcileError | None = None
    """Why a repository may have moved on unseen."""


class ImageUpdates:
    """Chooses images."""

    def __init__(
        self,
        repositories: Repositories,
        scopes: AwsScopes,
        oci: OCIFetcher,
        clock: Callable[[], datetime],
        *,
        events: EventQueue | None = None,
    ) -> None:
        """`events` are ECR's, whose handler is `repositories.hint`; without them repositories are polled."""
        self._repositories = repositories
        self._scopes = scopes
        self._oci = oci
        self._clock = clock
        self._events = events

    def start(self, wake: Wake) -> None:
        """Says how AppReleases are woken, and begins to listen."""
        self._repositories.start(wake)
        if self._events is not None:
            self._events.start()

    async def stop(self) -> None:
        """Ends what is under way."""
        if self._events is not None:
            await self._events.stop()
        await self._repositories.stop()

    def looking(self, user: ObjectKey) -> bool:
        """Whether a look for this AppRelease is under way."""
        return self._repositories.looking(user)

    def forget(self, user: ObjectKey) -> None:
        """Ends the following of an AppRelease that is gone, or names no images any more."""
        self._repositories.keep(user, ())

    async def choose(
        self,
        updates: Sequence[ImageUpdate],
        aws: AwsAccess | None,
        references: Reader,
        *,
        told: Sequence[Mapping[str, Any]],
        current: bool,
        interval: float,
        force: bool,
    ) -> Chosen:
        """The choice for each image; `told` is `status.images`, and Secrets are read through `references`.

        `current`: the status tells of the newest revision, so what it tells is what was chosen last.

        Raises Waiting until a repository was seen or scanned; Invalid and Denied naming the field; what a
        look raised, where no choice is known at all.
        """
        user = references.user
        known = {entry["name"]: entry for entry in told}
        found = [
            await self._place(update, aws, references, at=f"spec.images[{index}]")
            for index, update in enumerate(updates)
        ]
        places = [place for place, _ in found]
        self._repositories.keep(user, places)
        # All are looked at before any of them ends the reconcile: their first looks go on together.
        views = [
            self._repositories.look(
                place,
                registry,
                user=user,
                interval=seconds(update.interval) if update.interval else interval,
                force=force,
            )
            for update, (place, registry) in zip(updates, found, strict=True)
        ]
        rests: dict[Place, list[Judged]] = {place: [] for place in places}
        status: list[Mapping[str, Any]] = []
        error: ReconcileError | None = None
        for index, (update, place, view) in enumerate(zip(updates, places, views, strict=True)):
            try:
                entry, judged = self._one(
                    update, view, known.get(update.name), current=current, at=f"spec.images[{index}]"
                )
            except _Unsettled as unsettled:
                error = error or unsettled.cause
                rests[place].append(unsettled.judged)
            else:
                status.append(entry)
                rests[place].append(judged)
        for place, judgements in rests.items():
            self._repositories.rests_on(
                place,
                user,
                scans=[digest for judged in judgements for digest in judged.scans],
                tags=[tag for judged in judgements for tag in judged.tags],
            )
        if error is not None:
            raise error
        pins = tuple(Pin(entry["name"], entry["tag"], entry["digest"]) for entry in status)
        failure = next((view.failure for view in views if view.failure is not None), None)
        return Chosen(pins, tuple(status), failure)

    async def _place(
        self, update: ImageUpdate, aws: AwsAccess | None, references: Reader, *, at: str
    ) -> tuple[Place, Registry]:
        if update.oci is not None:
            oci = OCISource(
                url=update.oci.url, tag="any", secret=update.oci.secret, insecure=update.oci.insecure
            )
            accesses = Accesses(references, self._scopes)
            _, access = await accesses.of(Source(oci=oci), aws, at=at)
            name = f"{'http' if oci.insecure else 'https'}:{oci.url}"
            place = Place(access.fingerprint, "", Repository(name))
            return place, OCIImages(self._oci.repository(oci, access))
        assert update.repository is not None, "the model holds exactly one"  # noqa: S101
        scope = await self._scopes.of(aws, references)
        repository = Repository.parse(update.repository)
        scope.check("repository", repository.arn or repository.name, field=f"{at}.repository")
        region = repository.region or scope.region
        if region != scope.region:
            scope.check("region", region, field=f"{at}.repository")
        place = Place(scope.identity, region, repository)
        return place, EcrImages(scope.client("ecr", region=region), repository)

    def _one(
        self, update: ImageUpdate, view: View, told: Mapping[str, Any] | None, *, current: bool, at: str
    ) -> tuple[Mapping[str, Any], Judged]:
        where = f"{at}.repository" if update.oci is None else f"{at}.oci.url"
        policy = _policy_digest(update)
        if view.tags is None:
            if current and told is not None and told["policy"] == policy:
                return told, Judged(None)
            if view.failure is not None:
                raise _Unsettled(_placed(view.failure, where))
            raise _Unsettled(Waiting("looking at the image's repository", reason=FETCHING))
        present = _choice(told) if told is not None else None
        judged = choose(update, view.tags, present, view.scans.get)
        outcome = judged.outcome
        if outcome is None:
            if view.failure is not None:
                raise _Unsettled(_placed(view.failure, where), judged)
            raise _Unsettled(Waiting("asking about the image", reason=FETCHING), judged)
        if isinstance(outcome, Nothing):
            raise _Unsettled(_nothing(outcome, at), judged)
        return self._status(update.name, policy, outcome, told), judged

    def _status(
        self, name: str, policy: str, choice: Choice, told: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        same = told is not None and (told["tag"], told["digest"]) == (choice.tag, choice.digest)
        entry: dict[str, Any] = {
            "name": name,
            "tag": choice.tag,
            "digest": choice.digest,
            "since": told["since"] if same and told is not None else f"{self._clock():%Y-%m-%dT%H:%M:%SZ}",
            "reason": choice.reason,
            "policy": policy,
        }
        if choice.held:
            entry["held"] = [
                {"tag": held.tag, "reason": held.reason[:_REASON_LIMIT]} for held in choice.held[:_HELD_SHOWN]
            ]
        return entry


class _Unsettled(Exception):
    """An image that nothing can be chosen for now."""

    def __init__(self, cause: ReconcileError, judged: Judged | None = None) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.judged = judged or Judged(None)


def _policy_digest(update: ImageUpdate) -> str:
    return hashlib.sha256(update.model_dump_json().encode()).hexdigest()[:_DIGITS]


def _choice(told: Mapping[str, Any]) -> Choice:
    held = tuple(Held(entry["tag"], entry["reason"]) for entry in told.get("held") or ())
    return Choice(told["tag"], told["digest"], told["reason"], held)


def _nothing(outcome: Nothing, at: str) -> ReconcileError:
    if not outcome.matching:
        return Invalid("no tag of the repository matches", reason="NoMatchingTag", field=at)
    shown = "; ".join(f"{held.tag}: {held.reason}" for held in outcome.held[:3])
    more = len(outcome.held) - 3
    text = f"{shown}; and {more} more" if more > 0 else shown
    return Invalid(f"every tag that matches is held: {text}", reason="ImageHeld", field=f"{at}.maxSeverity")


def _placed(error: ReconcileError, at: str) -> ReconcileError:
    """A copy of the error that names the field; one look may serve several AppReleases."""
    kind = type(error) if error.terminal else Transient
    return kind(error.message, reason=error.reason, field=at)
