"""The image that cannot be built here is at least what it should be on paper."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from repository_files import ROOT

TEXT = (ROOT / "Dockerfile").read_text()


@dataclass(frozen=True)
class Instruction:
    keyword: str
    arguments: str


def instructions(text: str) -> Iterator[Instruction]:
    """The instructions, with continued lines joined."""
    without_comments = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    for line in without_comments.replace("\\\n", " ").splitlines():
        if line.strip():
            keyword, _, arguments = line.strip().partition(" ")
            yield Instruction(keyword.upper(), " ".join(arguments.split()))


def faults(text: str) -> Iterator[str]:
    """What a build of it would do wrong."""
    found = list(instructions(text))
    defaults = dict(entry.arguments.split("=", 1) for entry in found if entry.keyword == "ARG")
    stages = {entry.arguments.rpartition(" AS ")[2] for entry in found if " AS " in entry.arguments}
    for entry in found:
        match entry.keyword:
            case "FROM":
                yield from base_faults(entry.arguments.split()[0], defaults, stages)
            case "COPY":
                yield from copy_faults(entry.arguments, stages)
            case "RUN" if "pip install" in entry.arguments and "--require-hashes" not in entry.arguments:
                yield "pip installs what no hash pins"
            case "RUN" if (
                "apt-get install" in entry.arguments and "rm -rf /var/lib/apt/lists" not in entry.arguments
            ):
                yield "apt's lists stay in the layer"
            case "ADD":
                yield "ADD fetches and unpacks: use COPY"
            case "MAINTAINER" | "ONBUILD":
                yield f"{entry.keyword} is out of use"
    yield from process_faults(found)


def process_faults(found: list[Instruction]) -> Iterator[str]:
    user = [entry.arguments for entry in found if entry.keyword == "USER"]
    if not user or user[-1].split(":")[0] in {"root", "0"}:
        yield "it runs as root"
    elif not user[-1].split(":")[0].isdigit():
        yield "runAsNonRoot needs a numeric user"
    if "CMD" in {entry.keyword for entry in found} and not all(
        entry.arguments.startswith("[") for entry in found if entry.keyword in {"CMD", "ENTRYPOINT"}
    ):
        yield "a shell would stand between the kubelet's SIGTERM and the operator"


def base_faults(base: str, defaults: dict[str, str], stages: set[str]) -> Iterator[str]:
    if base in stages:
        return
    variable = re.fullmatch(r"\$\{(\w+)\}", base)
    if variable is None or variable[1] not in defaults:
        yield f"base {base} cannot be pinned by an ARG"
        return
    _, _, tag = defaults[variable[1]].partition(":")
    if not re.match(r"\d+\.\d+", tag):
        yield f"base {defaults[variable[1]]} names no version"


def copy_faults(arguments: str, stages: set[str]) -> Iterator[str]:
    *sources, _ = [word for word in arguments.split() if not word.startswith("--")]
    stage = re.search(r"--from=(\S+)", arguments)
    if stage is not None:
        if stage[1] not in stages:
            yield f"there is no stage {stage[1]}"
        return
    for source in sources:
        if not list(ROOT.glob(source.rstrip("/"))):
            yield f"there is no {source}"
        elif not in_context(source):
            yield f".dockerignore hides {source}"


def in_context(source: str) -> bool:
    """Whether the build's context has it; our .dockerignore shuts out everything and lets some in."""
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    return any(source.rstrip("/") == path or source.startswith(f"{path}/") for path in let_in)


def test_the_image_is_pinned_small_and_without_root() -> None:
    assert list(faults(TEXT)) == []


def test_git_is_in_the_last_stage() -> None:
    last = TEXT[TEXT.rindex("\nFROM ") :]

    assert re.search(r"apt-get install .*\bgit\b", last)


def test_the_renderer_is_where_the_settings_look_for_it() -> None:
    from pierhead.settings import Settings

    assert f" {Settings.model_fields['renderer_path'].default}\n" in TEXT


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("USER 65532:65532", "USER root"), "it runs as root"),
        (("USER 65532:65532\n", ""), "it runs as root"),
        (("USER 65532:65532", "USER nobody"), "runAsNonRoot needs a numeric user"),
        (("golang:1.26-trixie", "golang:latest"), "base golang:latest names no version"),
        (("golang:1.26-trixie", "golang"), "base golang names no version"),
        (("FROM ${GO_BASE}", "FROM golang:1.26"), "base golang:1.26 cannot be pinned by an ARG"),
        (("--require-hashes ", ""), "pip installs what no hash pins"),
        (("COPY LICENSE", "COPY LICENCE"), "there is no LICENCE"),
        (("COPY LICENSE", "COPY Makefile"), ".dockerignore hides Makefile"),
        (("--from=packages", "--from=package"), "there is no stage package"),
        (('CMD ["run"]', "CMD run"), "a shell would stand between the kubelet's SIGTERM and the operator"),
    ],
)
def test_each_fault_is_seen(change: tuple[str, str], fault: str) -> None:
    assert change[0] in TEXT
    assert list(faults(TEXT.replace(*change))) == [fault]
