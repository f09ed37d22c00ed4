"""Nothing committed names where packages come from, or where this checkout happens to be.

A registry's host in a lock file ties every clone to a network that may not exist there.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from repository_files import ROOT, shown, text_of, tracked

LOCKS = ("requirements/*.txt", "requirements/*.in", "*.lock", "*go.sum", "*go.mod", "*package-lock.json")
URL = re.compile(r"https?://[^\s\"'<>)\]]+")

# Ways in which package managers are told of another registry, each followed by an address.
CHOICES = re.compile(
    r"(--(?:extra-)?index-url|--find-links|--registry|--default-index|--index)[ =]+['\"]?https?://"
    r"|\b(?:extra-)?index[-_]url\s*=\s*['\"]?https?://"
    r"|\b(?:PIP|UV)_(?:EXTRA_|DEFAULT_)?INDEX(?:_URL)?\s*[=:]\s*['\"]?https?://"
    r"|\b(?:GOPROXY|GOSUMDB)\s*[=:]\s*['\"]?https?://"
    r"|\"?resolved\"?\s*[:=]\s*['\"]?https?://"
    r"|\bregistry\s*=\s*['\"]?https?://"
)


def configured_hosts() -> set[str]:
    """Hosts of the registries that this machine's package managers are set up with."""
    texts = [
        value for name, value in os.environ.items() if re.search(r"INDEX|PROXY|REGISTRY", name, re.IGNORECASE)
    ]
    commands = [[sys.executable, "-m", "pip", "config", "list"]]
    if go := shutil.which("go"):
        commands.append([go, "env", "GOPROXY"])
    texts += [
        subprocess.run(command, capture_output=True, text=True, check=False).stdout for command in commands
    ]
    hosts = {urlsplit(url).hostname for text in texts for url in URL.findall(text)}
    return {host for host in hosts if host and host not in {"localhost", "127.0.0.1"}}


def test_no_lock_file_has_an_address() -> None:
    found = [f"{shown(path)}: {url}" for path in tracked(*LOCKS) for url in URL.findall(text_of(path))]

    assert found == []


def test_no_file_chooses_a_registry() -> None:
    this = Path(__file__)
    found = [
        f"{shown(path)}: {match[0]}"
        for path in tracked()
        if path != this
        for match in CHOICES.finditer(text_of(path))
    ]

    assert found == []


def test_no_file_names_a_registry_of_this_machine() -> None:
    hosts = configured_hosts()
    found = [f"{shown(path)}: {host}" for path in tracked() for host in hosts if host in text_of(path)]

    assert found == []


def test_no_file_names_a_folder_of_this_machine() -> None:
    folders = [str(folder) for folder in (ROOT, Path.home()) if len(folder.parts) > 2]
    found = [
        f"{shown(path)}: {folder}"
        for path in tracked()
        for folder in folders
        if f"{folder}/" in text_of(path)
    ]

    assert found == []


@pytest.mark.parametrize(
    "text",
    [
        "pip install --index-url https://a.example/simple x",
        'resolved: "https://a.example/x.tgz"',
        '"resolved": "https://a.example/x.tgz"',
        "index-url = https://a.example",
        "PIP_INDEX_URL=https://a.example",
        "ENV GOPROXY=https://a.example",
    ],
)
def test_the_choice_of_a_registry_is_seen(text: str) -> None:
    assert CHOICES.search(text)
