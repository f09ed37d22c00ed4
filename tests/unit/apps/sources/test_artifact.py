"""Artifacts appear whole, by digest, and never outside their folder."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.apps.sources.artifact import GRACE_SECONDS, ArtifactStore, digest_of, inside, safe_path
from pierhead.engine.outcome import Invalid


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_files_are_kept_once(tmp_path):
    store = ArtifactStore(tmp_path / "store", limit_bytes=1000)
    digest, path = store.put_files({"a/b.yaml": b"one", "c": b"two"})
    assert (path / "a/b.yaml").read_bytes() == b"one"
    assert store.put_files({"c": b"two", "a/b.yaml": b"one"}) == (digest, path)


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "..", "", "a\\..\\b", "a\0b"])
def test_a_path_that_leads_out_is_refused(tmp_path, name):
    store = ArtifactStore(tmp_path / "store", limit_bytes=1000)
    with pytest.raises(Invalid) as raised:
        store.put_files({name: b"x"})
    assert raised.value.reason == "InvalidPath"
    assert list((tmp_path / "store").iterdir()) == []


@pytest.mark.parametrize(
    "files",
    [{"a": b"1", "a/b": b"2"}, {"a/b": b"1", "a": b"2"}, {"x" * 300: b"1"}, {"a": b"1", "./a/b": b"2"}],
)
def test_files_that_no_folder_can_hold_are_refused(tmp_path, files):
    store = ArtifactStore(tmp_path / "store", limit_bytes=1000)
    with pytest.raises(Invalid, match="no file can be named") as raised:
        store.put_files(files)
    assert raised.value.reason == "InvalidPath"
    assert list((tmp_path / "store").iterdir()) == []


def test_what_is_kept_already_is_not_touched_by_another_fetch_of_it(tmp_path):
    store = ArtifactStore(tmp_path / "store", limit_bytes=1000)
    first = store.put("sha1:1", lambda folder: (folder / "a").write_text("first") and None)
    inode = first.stat().st_ino
    with ThreadPoolExecutor(8) as threads:
        for _ in range(40):
            threads.submit(store.put, "sha1:1", lambda folder: (folder / "a").write_text("x") and None)
    assert first.stat().st_ino == inode
    assert (first / "a").read_text() == "first"
    assert [entry.name for entry in (tmp_path / "store").iterdir()] == [first.name]


def test_a_link_that_leads_out_is_refused(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    held = tmp_path / "held"
    held.mkdir()
    (held / "link").symlink_to(outside)
    with pytest.raises(Invalid, match="leads out"):
        inside(held, "link", field="spec.helm.path")


def test_a_path_that_is_not_there_is_named(tmp_path):
    with pytest.raises(Invalid, match="no 'charts/shop'") as raised:
        inside(tmp_path, "charts/shop", field="spec.helm.path")
    assert raised.value.field == "spec.helm.path"


@pytest.mark.parametrize("name", [None, ".", "./"])
def test_the_root_is_inside(tmp_path, name):
    assert inside(tmp_path, name, field="f") == tmp_path


def test_a_source_over_the_bound_is_refused(tmp_path):
    store = ArtifactStore(tmp_path / "store", limit_bytes=10)
    with pytest.raises(Invalid) as raised:
        store.put_files({"a": b"x" * 11})
    assert raised.value.reason == "SourceTooLarge"


def test_the_longest_unused_go_first_but_none_that_was_just_used(tmp_path):
    clock = Clock()
    store = ArtifactStore(tmp_path / "store", limit_bytes=10, monotonic=clock)
    first, _ = store.put_files({"a": b"x" * 6})
    clock.now = 1.0
    second, _ = store.put_files({"b": b"x" * 6})
    assert store.find(first)
    clock.now = GRACE_SECONDS + 2
    assert store.find(second)
    third, _ = store.put_files({"c": b"x" * 3})
    assert store.find(first) is None
    assert store.find(second)
    assert store.find(third)


FILES = st.dictionaries(st.text(min_size=1, max_size=5), st.binary(max_size=5), max_size=4)


@given(FILES, FILES)
def test_digests_tell_files_apart(one, other):
    assert (digest_of(one) == digest_of(other)) == (one == other)


@given(st.text(max_size=20))
def test_a_safe_path_stays_inside(name):
    try:
        path = safe_path(name)
    except Invalid:
        return
    assert not path.is_absolute()
    assert ".." not in path.parts
