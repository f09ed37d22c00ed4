"""Archives that somebody else packed.

Invariant: nothing of an archive is kept before all of it was read: every name stays inside, links lead
nowhere else, there are only files, folders and links, and neither their number nor what they grow to exceeds
a bound. Links are text, as in a checkout of `git`: no file of an artifact leads anywhere.
"""

import gzip
import io
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pierhead.apps.sources.artifact import safe_path
from pierhead.engine.outcome import Invalid

MOST_FILES = 10_000
MOST_BYTES = 100 * 1024 * 1024
"""What Helm takes from a chart at most."""

MOST_GROWTH = 200
"""Times its packed size that an archive may grow to; text packs to a tenth."""

_FREE_BYTES = 1024 * 1024
"""Growth below which nobody is suspected."""

_CHUNK = 65536
_BROKEN = (tarfile.TarError, zlib.error, EOFError, OSError, ValueError)


class _Bounded(io.RawIOBase):
    """What a gzip file holds, up to a bound; the tar reader may ask for more than it shows."""

    def __init__(self, packed: BinaryIO, what: str) -> None:
        super().__init__()
        size = packed.seek(0, io.SEEK_END)
        packed.seek(0)
        self._file = gzip.GzipFile(fileobj=packed)
        self._left = min(MOST_BYTES, max(_FREE_BYTES, size * MOST_GROWTH))
        self._what = what

    def read(self, size: int = -1, /) -> bytes:
        """At most a chunk. Raises Invalid over the bound."""
        found = self._file.read(min(size, _CHUNK) if size >= 0 else _CHUNK)
        self._left -= len(found)
        if self._left < 0:
            raise Invalid(f"{self._what} is an archive that grows out of proportion", reason="ArchiveBomb")
        return found


def check_archive(packed: BinaryIO, *, what: str) -> None:
    """Reads a tar+gzip archive from its beginning to its end.

    `what` names it in errors. Raises Invalid: InvalidArchive, ArchiveBomb or ArchiveTraversal.
    """
    for _ in _members(packed, what):
        pass


def unpack(packed: BinaryIO, directory: Path, *, what: str) -> None:
    """Writes the files of a tar+gzip archive into an empty directory. Raises Invalid as `check_archive`."""
    for member, archive in _members(packed, what):
        target = directory if _is_root(member) else directory / safe_path(member.name)
        try:
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                if member.issym():
                    file.write(member.linkname.encode())
                elif (held := archive.extractfile(member)) is not None:
                    while chunk := held.read(_CHUNK):
                        file.write(chunk)
        except (FileExistsError, IsADirectoryError, NotADirectoryError):
            raise Invalid(
                f"{what}: {member.name!r} is both a file and a folder", reason="InvalidArchive"
            ) from None


def _members(packed: BinaryIO, what: str) -> Iterator[tuple[tarfile.TarInfo, tarfile.TarFile]]:
    bounded = _Bounded(packed, what)
    count = 0
    try:
        with tarfile.open(fileobj=bounded, mode="r|") as archive:
            for member in archive:
                count += 1
                if count > MOST_FILES:
                    raise Invalid(f"{what} is an archive of over {MOST_FILES} files", reason="ArchiveBomb")
                _refuse(member, what)
                yield member, archive
        # What follows the last file has to be whole too: the end is where a broken download shows.
        while bounded.read():
            pass
    except _BROKEN as error:
        if isinstance(error, OSError) and not isinstance(error, gzip.BadGzipFile):
            raise
        raise Invalid(
            f"{what} is no complete tar+gzip archive ({type(error).__name__})", reason="InvalidArchive"
        ) from None
    if count == 0:
        raise Invalid(f"{what} is an empty archive", reason="InvalidArchive")


def _refuse(member: tarfile.TarInfo, what: str) -> None:
    if not _is_root(member):
        try:
            safe_path(member.name)
        except Invalid as error:
            raise Invalid(f"{what}: {error.message}", reason="ArchiveTraversal") from None
    if member.issym():
        leads = posixpath.normpath(posixpath.join(posixpath.dirname(member.name), member.linkname))
        if leads.startswith(("/", "../")) or leads == "..":
            raise Invalid(
                f"{what}: the link {member.name!r} leads out of the archive", reason="ArchiveTraversal"
            )
    elif not (member.isfile() or member.isdir()):
        raise Invalid(f"{what}: {member.name!r} is neither file, folder nor link", reason="InvalidArchive")


def _is_root(member: tarfile.TarInfo) -> bool:
    return member.isdir() and posixpath.normpath(member.name) == "."
