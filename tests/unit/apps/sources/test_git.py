"""Git sources, against real repositories on disk."""

import subprocess

import pytest

from pierhead.apps.model.sources import GitReference, GitSource
from pierhead.apps.sources.access import Access
from pierhead.apps.sources.artifact import ArtifactStore
from pierhead.apps.sources.git import GitFetcher
from pierhead.apps.sources.git_process import failure as git_error
from pierhead.engine.outcome import Denied, Invalid, Transient
from pierhead.stores.networks import Networks

LOGIN = Access("login", {"username": "user", "password": "hunter2"})


def git(directory, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=directory, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(tmp_path):
    directory = tmp_path / "repository"
    directory.mkdir()
    git(directory, "init", "--quiet")
    (directory / "a.yaml").write_text("one")
    (directory / "link").symlink_to("/etc/passwd")
    git(directory, "add", ".")
    git(directory, "commit", "--quiet", "-m", "one")
    git(directory, "tag", "-a", "v1", "-m", "v1")
    git(directory, "checkout", "--quiet", "-b", "next")
    (directory / "a.yaml").write_text("two")
    git(directory, "commit", "--quiet", "-am", "two")
    git(directory, "checkout", "--quiet", "main")
    return directory


@pytest.fixture
def fetcher(tmp_path):
    return GitFetcher(ArtifactStore(tmp_path / "store", limit_bytes=1 << 20), Networks(), allow_file=True)


async def fetched(fetcher, url, ref=None, *, access=Access(), known=None, submodules=False):  # noqa: B008 (frozen)
    source = GitSource(url=url, ref=ref, submodules=submodules)
    return await fetcher.fetch(source, access, known)


@pytest.mark.parametrize(
    ("ref", "content"),
    [
        (None, "one"),
        (GitReference(branch="main"), "one"),
        (GitReference(branch="next"), "two"),
        (GitReference(tag="v1"), "one"),
    ],
)
async def test_fetches_what_a_reference_names(repository, fetcher, ref, content):
    artifact = await fetched(fetcher, f"file://{repository}", ref)
    assert (artifact.path / "a.yaml").read_text() == content


async def test_fetches_a_commit(repository, fetcher):
    commit = git(repository, "rev-parse", "next")
    artifact = await fetched(fetcher, f"file://{repository}", GitReference(commit=commit))
    assert (artifact.path / "a.yaml").read_text() == "two"
    assert artifact.digest == f"sha1:{commit}"


async def test_follows_a_branch(repository, fetcher):
    before = await fetched(fetcher, f"file://{repository}", GitReference(branch="main"))
    (repository / "a.yaml").write_text("three")
    git(repository, "commit", "--quiet", "-am", "three")
    after = await fetched(fetcher, f"file://{repository}", GitReference(branch="main"))
    assert before.digest != after.digest
    assert (after.path / "a.yaml").read_text() == "three"


async def test_a_symbolic_link_is_a_text(repository, fetcher):
    artifact = await fetched(fetcher, f"file://{repository}", None)
    assert not (artifact.path / "link").is_symlink()
    assert (artifact.path / "link").read_text() == "/etc/passwd"


async def test_no_git_folder_is_kept(repository, fetcher):
    artifact = await fetched(fetcher, f"file://{repository}", None)
    assert {entry.name for entry in artifact.path.iterdir()} == {"a.yaml", "link"}


async def test_a_missing_reference_is_named(repository, fetcher):
    with pytest.raises(Invalid, match="no 'gone'") as raised:
        await fetched(fetcher, f"file://{repository}", GitReference(branch="gone"))
    assert raised.value.field == "ref"


async def test_a_missing_repository_is_named(tmp_path, fetcher):
    with pytest.raises(Invalid, match="does not exist"):
        await fetched(fetcher, f"file://{tmp_path}/nothing", None)


async def test_file_addresses_are_off_by_default(repository, tmp_path):
    closed = GitFetcher(ArtifactStore(tmp_path / "store", limit_bytes=1 << 20), Networks(), allow_file=False)
    with pytest.raises(Denied, match="allow_file_sources"):
        await fetched(closed, f"file://{repository}", None)


async def test_a_commit_known_here_is_not_given_to_who_cannot_fetch_it(repository, fetcher, tmp_path):
    """Commit ids are no secrets: knowing one must not open somebody else's repository."""
    commit = git(repository, "rev-parse", "main")
    await fetched(fetcher, f"file://{repository}", None)
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    git(other, "commit", "--quiet", "--allow-empty", "-m", "x")
    with pytest.raises(Invalid, match="does not exist"):
        await fetched(fetcher, f"file://{other}", GitReference(commit=commit))


@pytest.mark.parametrize(
    ("said", "error", "field"),
    [
        ("fatal: unable to access 'https://127.0.0.1:40123/': Failed to connect", Transient, None),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 403", Denied, "secret"),
        ("fatal: Authentication failed for 'https://x/'", Denied, "secret"),
        ("fatal: could not read Username for 'https://x': terminal prompts disabled", Denied, "secret"),
        ("fatal: repository 'https://x/' not found", Invalid, None),
        ("fatal: couldn't find remote ref refs/heads/x", Invalid, None),
        ("fatal: unable to access 'https://x/': Could not resolve host: x", Transient, None),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 503", Transient, None),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", Denied, "secret"),
        ("git@x: Permission denied (publickey).", Denied, "secret"),
        ('Load key "/tmp/x/identity": invalid format', Invalid, "secret"),
        ("fatal: unable to access 'https://x/': SSL certificate problem: unable to get", Invalid, None),
        ("error: index-pack died of signal 25", Invalid, None),
        ("", Transient, None),
    ],
)
def test_what_git_says_is_sorted(said, error, field):
    found = git_error("https://x/", said)
    assert type(found) is error
    assert found.field == field


async def test_a_server_that_is_not_there_is_transient(fetcher, unused_tcp_port):
    with pytest.raises(Transient) as raised:
        await fetched(fetcher, f"https://127.0.0.1:{unused_tcp_port}/x.git", access=LOGIN)
    assert raised.value.reason == "SourceUnreachable"
    assert "hunter2" not in str(raised.value)


async def test_a_range_follows_the_newest_tag(repository, fetcher):
    git(repository, "tag", "v1.2.0", "main")
    git(repository, "tag", "-a", "v1.10.0", "-m", "annotated", "next")
    git(repository, "tag", "v2.0.0-rc.1", "next")
    artifact = await fetched(fetcher, f"file://{repository}", GitReference(semver=">=1 <3"))
    assert artifact.revision == f"v1.10.0@{git(repository, 'rev-parse', 'next')}"
    assert (artifact.path / "a.yaml").read_text() == "two"
    with pytest.raises(Invalid, match="no tag in the range '>=3'") as raised:
        await fetched(fetcher, f"file://{repository}", GitReference(semver=">=3"))
    assert raised.value.field == "ref.semver"
    with pytest.raises(Invalid, match="not a version range"):
        await fetched(fetcher, f"file://{repository}", GitReference(semver="newest"))


async def test_a_commit_that_is_known_is_not_asked_for_again(repository, fetcher):
    ref = GitReference(commit=git(repository, "rev-parse", "main"))
    known = await fetched(fetcher, f"file://{repository}", ref)
    repository.rename(repository.with_suffix(".away"))
    assert await fetched(fetcher, f"file://{repository}", ref, known=known) == known


async def test_submodules_are_checked_out_when_asked_for(repository, fetcher, tmp_path):
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "--quiet")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", "../repository", "lib")
    git(outer, "commit", "--quiet", "-m", "with a submodule")
    without = await fetched(fetcher, f"file://{outer}")
    assert list((without.path / "lib").iterdir()) == []
    with_them = await fetched(fetcher, f"file://{outer}", submodules=True)
    assert with_them.digest != without.digest
    assert {entry.name for entry in (with_them.path / "lib").iterdir()} == {"a.yaml", "link"}
    assert not (with_them.path / "lib" / "link").is_symlink()


async def test_a_tree_that_is_too_large_is_refused_before_it_is_checked_out(repository, tmp_path):
    (repository / "big").write_bytes(b"0" * 300_000)
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "-m", "big")
    store = ArtifactStore(tmp_path / "store", limit_bytes=1 << 20)
    small = GitFetcher(store, Networks(), allow_file=True, limit_bytes=200_000)
    with pytest.raises(Invalid) as raised:
        await fetched(small, f"file://{repository}")
    assert raised.value.reason == "SourceTooLarge"


async def test_a_host_in_a_refused_network_is_not_asked(tmp_path):
    store = ArtifactStore(tmp_path / "store", limit_bytes=1 << 20)
    refusing = GitFetcher(store, Networks(["127.0.0.0/8"]), allow_file=True)
    for url in ("https://127.0.0.1:1/x.git", "ssh://git@localhost/x.git"):
        with pytest.raises(Denied) as raised:
            await fetched(refusing, url, access=LOGIN)
        assert raised.value.reason == "SourceAddressRefused"
        assert str(raised.value).startswith(url.replace("git@", ""))
