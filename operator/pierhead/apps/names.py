"""Names that an AppRelease gives to what it makes.

Invariant: the release name is a function of the AppRelease's name alone, fits Helm's 53 characters, and
differs between AppReleases of one namespace. Source of the shortening rule: Flux's HelmRelease.
"""

import hashlib

RELEASE_NAME_LIMIT = 53
_KEPT = 40


def release_name(name: str) -> str:
    """The Helm release name of the AppRelease `name`."""
    if len(name) <= RELEASE_NAME_LIMIT:
        return name
    return f"{name[:_KEPT]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
