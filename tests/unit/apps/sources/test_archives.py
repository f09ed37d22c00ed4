"""Archives that somebody else packed: what is wrong with one is told, and nothing of it leads anywhere."""

import gzip
import io
import random
import tarfile

import pytest

from pierhead.apps.sources.archives import MOST_FILES, check_archive, unpack
from pierhead.engine.outcome import Invalid


def entry(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, leads: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname = size, kind, leads
    return made


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as made:
        for member, content in members:
            member.size = len(content)
            made.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def check(content: bytes) -> None:
    check_archive(io.BytesIO(content), what="it")


def noise(size: int) -> bytes:
    return random.Random(1).randbytes(size)


GOOD = archive(
    (entry("./", kind=tarfile.DIRTYPE), b""),
    (entry("app", kind=tarfile.DIRTYPE), b""),
    (entry("app/a.yaml"), b"a: 1"),
    (entry("b.yaml"), noise(5000)),
    (entry("app/link", kind=tarfile.SYMTYPE, leads="../b.yaml"), b""),
)


def test_files_are_written_and_links_are_texts(tmp_path):
    unpack(io.BytesIO(GOOD), tmp_path, what="it")
    assert (tmp_path / "app" / "a.yaml").read_text() == "a: 1"
    assert (tmp_path / "b.yaml").read_bytes() == noise(5000)
    assert not (tmp_path / "app" / "link").is_symlink()
    assert (tmp_path / "app" / "link").read_text() == "../b.yaml"


@pytest.mark.parametrize(
    "member",
    [
        entry("/etc/passwd"),
        entry("../up"),
        entry("a/../../up"),
        entry("a\\b"),
        entry("link", kind=tarfile.SYMTYPE, leads="/etc/passwd"),
        entry("a/link", kind=tarfile.SYMTYPE, leads="../../etc/passwd"),
        entry("link", kind=tarfile.SYMTYPE, leads=".."),
    ],
    ids=lambda member: f"{member.name}>{member.linkname}",
)
def test_what_leads_out_is_refused(tmp_path, member):
    packed = archive((entry("good"), b"x"), (member, b""))
    for read in (
        lambda: check(packed),
        lambda: unpack(io.BytesIO(packed), tmp_path / "in", what="it"),
    ):
        with pytest.raises(Invalid, match=r"^it: ") as raised:
            read()
        assert raised.value.reason == "ArchiveTraversal"
    assert not (tmp_path / "up").exists()


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.LNKTYPE])
def test_devices_pipes_and_hard_links_are_refused(kind):
    with pytest.raises(Invalid, match="'dev' is neither file, folder nor link"):
        check(archive((entry("dev", kind=kind, leads="good"), b"")))


def test_what_grows_out_of_proportion_is_refused():
    bomb = archive((entry("zeros"), b"\0" * 64 * 1024 * 1024))
    assert len(bomb) < 100_000
    with pytest.raises(Invalid, match="out of proportion") as raised:
        check(bomb)
    assert raised.value.reason == "ArchiveBomb"


def test_a_bomb_in_a_header_is_one_too():
    header = tarfile.TarInfo("x")
    header.pax_headers = {"comment": "0" * 32 * 1024 * 1024}
    packed = gzip.compress(header.tobuf(tarfile.PAX_FORMAT))
    with pytest.raises(Invalid, match="out of proportion"):
        check(packed)


def test_too_many_files_are_refused():
    packed = archive(*((entry(str(number)), noise(40)) for number in range(MOST_FILES + 1)))
    with pytest.raises(Invalid) as raised:
        check(packed)
    assert raised.value.reason == "ArchiveBomb"


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.9, 0.999])
def test_a_truncated_archive_is_told_wherever_it_ends(share):
    with pytest.raises(Invalid, match=r"^it is (no complete tar\+gzip|an empty) archive") as raised:
        check(GOOD[: int(len(GOOD) * share)])
    assert raised.value.reason == "InvalidArchive"


@pytest.mark.parametrize(
    "content",
    [b"<html>", gzip.compress(b"text"), gzip.compress(noise(2000)), archive()],
    ids=["text", "gzip of text", "gzip of noise", "empty"],
)
def test_what_is_no_archive_is_told(content):
    with pytest.raises(Invalid) as raised:
        check(content)
    assert raised.value.reason == "InvalidArchive"


def test_a_broken_byte_is_told():
    broken = bytearray(GOOD)
    broken[-6] ^= 1
    with pytest.raises(Invalid, match="no complete"):
        check(bytes(broken))


def test_a_file_that_is_a_folder_too_is_told(tmp_path):
    packed = archive((entry("a"), b"x"), (entry("a/b"), b"y"))
    with pytest.raises(Invalid, match="both a file and a folder"):
        unpack(io.BytesIO(packed), tmp_path, what="it")
