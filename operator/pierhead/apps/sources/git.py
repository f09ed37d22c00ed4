"""Git repositories, through git itself.

Invariant: a repository is hostile (see `git_process`); no file of an artifact leads out of it, and one that
is too large is refused before it is checked out. Nobody is given a commit, known as it may be here, that
their own address and credentials did not yield.
"""

import asyncio
import shutil
import tempfile
from pathlib import Path

from pierhead.apps.model.sources import GitReference, GitSource
from pierhead.apps.sources.access import Access
from pierhead.apps.sources.artifact import Artifact, ArtifactStore
from pierhead.apps.sources.git_process import GitProcess
from pierhead.engine.outcome import Denied, Invalid
from pierhead.stores.networks import Networks
from pierhead.stores.web import shown
from pierhead.versions import VersionRange

MOST_FILES = 50_000
_TAGS = "refs/tags/"
_PEELED = "^{}"


class GitFetcher:
    """Fetches single commits, shallow."""

    def __init__(
        self,
        store: ArtifactStore,
        networks: Networks,
        *,
        allow_file: bool,
        limit_bytes: int = 512 * 1024 * 1024,
        timeout_seconds: float = 60,
    ) -> None:
        """`limit_bytes` bounds a checkout, and each file that git writes."""
        self._store = store
        self._networks = networks
        self._protocols = "https:ssh:file" if allow_file else "https:ssh"
        self._limit = limit_bytes
        self._timeout = timeout_seconds

    async def fetch(self, source: GitSource, access: Access, known: Artifact | None) -> Artifact:
        """The files of the commit that the reference names now.

        A commit that is `known` is not asked for again. Raises Invalid when the repository or reference does
        not exist, Denied when it is not for us, Transient when it cannot be reached in time; fields are
        relative to the source.
        """
        url, ref = source.url, source.ref
        if url.startswith("file:") and "file" not in self._protocols:
            raise Denied(
                "file:// sources are off in this operator (setting allow_file_sources)",
                reason="SourceDenied",
                field="url",
            )
        if known is not None and ref is not None and ref.commit and self._has(known):
            return known
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="pierhead-git-"))
        try:
            git = GitProcess(
                url,
                access,
                folder=folder,
                protocols=self._protocols,
                limit_bytes=self._limit,
                seconds=self._timeout,
            )
            await git.prepare(self._networks)
            name, commit = await _resolve(git, url, ref)
            revision, digest = f"{name}@{commit}", f"sha1:{commit}"
            if source.submodules:
                digest += "+submodules"
            if known is not None and known.digest == digest and self._has(known):
                return Artifact(revision=revision, digest=digest, path=known.path)
            path = await self._checkout(git, folder, source, commit, digest)
            return Artifact(revision=revision, digest=digest, path=path)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _has(self, known: Artifact) -> bool:
        return self._store.find(known.digest) is not None

    async def _checkout(
        self, git: GitProcess, folder: Path, source: GitSource, commit: str, digest: str
    ) -> Path:
        repository, tree = folder / "repository", folder / "tree"
        tree.mkdir()
        await git.run("init", "--quiet", "--bare", str(repository))
        at = ("--git-dir", str(repository))
        await git.run(*at, "fetch", "--quiet", "--no-tags", "--depth=1", "--", source.url, commit)
        _bounded(await git.run(*at, "ls-tree", "-r", "-l", "-z", commit), source.url, self._limit)
        within = (*at, "--work-tree", str(tree))
        await git.run(*within, "checkout", "--quiet", "--force", commit)
        if source.submodules:
            # Submodules whose addresses are relative begin at this one.
            await git.run(*at, "config", "remote.origin.url", source.url)
            update = ("submodule", "--quiet", "update", "--init", "--recursive", "--depth=1")
            await git.run(*within, *update, cwd=tree)

        def write(target: Path) -> None:
            ignored = shutil.ignore_patterns(".git")
            shutil.copytree(tree, target, symlinks=True, dirs_exist_ok=True, ignore=ignored)

        return await asyncio.to_thread(self._store.put, digest, write)


async def _resolve(git: GitProcess, url: str, ref: GitReference | None) -> tuple[str, str]:
    """How people call what the reference names, and its commit. Raises Invalid where it names nothing."""
    if ref is not None and ref.commit:
        return "commit", ref.commit
    listed = await git.run("ls-remote", "--quiet", "--", url, *_patterns(ref))
    lines = [line.split("\t", 1) for line in listed.splitlines() if "\t" in line]
    names = {name: commit for commit, name in lines}
    if ref is not None and ref.semver:
        tag = _newest(ref.semver, names)
        if tag is None:
            raise Invalid(
                f"{shown(url)} has no tag in the range {ref.semver!r}",
                reason="VersionNotFound",
                field="ref.semver",
            )
        return tag, _commit(names, f"{_TAGS}{tag}")
    if ref is None or not (ref.branch or ref.tag):
        name, full = "HEAD", "HEAD"
    elif ref.branch:
        name, full = ref.branch, f"refs/heads/{ref.branch}"
    else:
        name, full = str(ref.tag), f"{_TAGS}{ref.tag}"
    if full not in names:
        raise Invalid(f"{shown(url)} has no {name!r}", reason="ReferenceNotFound", field="ref")
    return name, _commit(names, full)


def _patterns(ref: GitReference | None) -> tuple[str, ...]:
    if ref is not None and ref.branch:
        return (f"refs/heads/{ref.branch}",)
    if ref is not None and ref.tag:
        return (f"{_TAGS}{ref.tag}", f"{_TAGS}{ref.tag}{_PEELED}")
    if ref is not None and ref.semver:
        return (f"{_TAGS}*",)
    return ("HEAD",)


def _newest(semver: str, names: dict[str, str]) -> str | None:
    try:
        wanted = VersionRange(semver)
    except ValueError as error:
        raise Invalid(str(error), reason="InvalidVersionRange", field="ref.semver") from None
    return wanted.newest(name.removeprefix(_TAGS) for name in names if not name.endswith(_PEELED))


def _commit(names: dict[str, str], full: str) -> str:
    # An annotated tag is listed twice; the peeled line is the commit.
    return names.get(full + _PEELED) or names[full]


def _bounded(listed: str, url: str, limit: int) -> None:
    """Raises Invalid for a tree that is too large; `listed` are lines of `git ls-tree -l -z`."""
    sizes = [line.partition("\t")[0].split()[-1] for line in listed.split("\0") if line]
    total = sum(int(size) for size in sizes if size.isdigit())
    if total > limit or len(sizes) > MOST_FILES:
        raise Invalid(
            f"{shown(url)} holds {len(sizes)} files of {total} bytes, and {MOST_FILES} of {limit} are taken",
            reason="SourceTooLarge",
        )
