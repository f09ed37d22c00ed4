"""Git sources, against real repositories on disk."""

import subprocess

import pytest

from pierhead.apps.model.sources import GitReference
from pierhead.apps.sources.artifact import ArtifactStore
from pierhead.apps.sources.git import Credentials, GitFetcher
from pierhead.apps.sources.git import _error as git_error
from pierhead.engine.outcome import Denied, Invalid, Transient


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
    return GitFetcher(ArtifactStore(tmp_path / "store", limit_bytes=1 << 20), allow_file=True)


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
    artifact = await fetcher.fetch(f"file://{repository}", ref, None)
    assert (artifact.path / "a.yaml").read_text() == content


async def test_fetches_a_commit(repository, fetcher):
    commit = git(repository, "rev-parse", "next")
    artifact = await fetcher.fetch(f"file://{repository}", GitReference(commit=commit), None)
    assert (artifact.path / "a.yaml").read_text() == "two"
    assert artifact.digest == f"sha1:{commit}"


async def test_follows_a_branch(repository, fetcher):
    before = await fetcher.fetch(f"file://{repository}", GitReference(branch="main"), None)
    (repository / "a.yaml").write_text("three")
    git(repository, "commit", "--quiet", "-am", "three")
    after = await fetcher.fetch(f"file://{repository}", GitReference(branch="main"), None)
    assert before.digest != after.digest
    assert (after.path / "a.yaml").read_text() == "three"


async def test_a_symbolic_link_is_a_text(repository, fetcher):
    artifact = await fetcher.fetch(f"file://{repository}", None, None)
    assert not (artifact.path / "link").is_symlink()
    assert (artifact.path / "link").read_text() == "/etc/passwd"


async def test_no_git_folder_is_kept(repository, fetcher):
    artifact = await fetcher.fetch(f"file://{repository}", None, None)
    assert {entry.name for entry in artifact.path.iterdir()} == {"a.yaml", "link"}


async def test_a_missing_reference_is_named(repository, fetcher):
    with pytest.raises(Invalid, match="no 'gone'") as raised:
        await fetcher.fetch(f"file://{repository}", GitReference(branch="gone"), None)
    assert raised.value.field == "ref"


async def test_a_missing_repository_is_named(tmp_path, fetcher):
    with pytest.raises(Invalid, match="does not exist"):
        await fetcher.fetch(f"file://{tmp_path}/nothing", None, None)


async def test_file_addresses_are_off_by_default(repository, tmp_path):
    closed = GitFetcher(ArtifactStore(tmp_path / "store", limit_bytes=1 << 20), allow_file=False)
    with pytest.raises(Denied, match="allow_file_sources"):
        await closed.fetch(f"file://{repository}", None, None)


async def test_a_commit_known_here_is_not_given_to_who_cannot_fetch_it(repository, fetcher, tmp_path):
    """Commit ids are no secrets: knowing one must not open somebody else's repository."""
    commit = git(repository, "rev-parse", "main")
    await fetcher.fetch(f"file://{repository}", None, None)
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "--quiet")
    git(other, "commit", "--quiet", "--allow-empty", "-m", "x")
    with pytest.raises(Invalid, match="does not exist"):
        await fetcher.fetch(f"file://{other}", GitReference(commit=commit), None)


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
        ("", Transient, None),
    ],
)
def test_what_git_says_is_sorted(said, error, field):
    found = git_error("https://x/", said)
    assert type(found) is error
    assert found.field == field


async def test_a_server_that_is_not_there_is_transient(fetcher, unused_tcp_port):
    with pytest.raises(Transient) as raised:
        await fetcher.fetch(
            f"https://127.0.0.1:{unused_tcp_port}/x.git", None, Credentials("user", "hunter2")
        )
    assert raised.value.reason == "SourceUnreachable"
    assert "hunter2" not in str(raised.value)


def test_credentials_do_not_print():
    assert "hunter2" not in repr(Credentials("user", "hunter2"))
