"""Texts in artifacts, packaged charts included.

Invariant: what is read is bounded and inside its artifact.
"""

import tarfile
import zlib
from pathlib import PurePosixPath

from pierhead.apps.sources.artifact import Artifact, inside, safe_path
from pierhead.engine.outcome import Invalid

_LARGEST = 4 * 1_048_576
"""Bytes: no text of 1 MiB characters has more."""


def text_of(artifact: Artifact, name: str, *, field: str) -> str:
    """A file's text; in a packaged chart its path is relative to the chart's folder.

    Raises Invalid, naming `field`: PathNotFound where there is no such file, InvalidValues for no text.
    """
    if artifact.path.suffix == ".tgz" and artifact.path.is_file():
        content = _packed(artifact, name, field=field)
    else:
        try:
            with inside(artifact.path, name, field=field).open("rb") as file:
                content = file.read(_LARGEST + 1)
        except OSError:
            raise _no_text(field) from None
    if len(content) > _LARGEST:
        raise Invalid(f"holds more than {_LARGEST} bytes", reason="InvalidValues", field=field)
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise _no_text(field) from None


def _packed(artifact: Artifact, name: str, *, field: str) -> bytes:
    try:
        wanted = safe_path(name)
    except Invalid as error:
        raise Invalid(error.message, reason=error.reason, field=field) from None
    try:
        with tarfile.open(artifact.path, "r:gz") as archive:
            for member in archive:
                if PurePosixPath(*PurePosixPath(member.name).parts[1:]) == wanted:
                    file = archive.extractfile(member) if member.isreg() else None
                    if file is None:
                        raise _no_text(field)
                    return file.read(_LARGEST + 1)
    except (tarfile.TarError, OSError, EOFError, zlib.error):
        raise Invalid("the chart is no readable archive", reason="InvalidValues", field=field) from None
    raise Invalid(f"the chart has no {name!r}", reason="PathNotFound", field=field)


def _no_text(field: str) -> Invalid:
    return Invalid("this is not a text file", reason="InvalidValues", field=field)
