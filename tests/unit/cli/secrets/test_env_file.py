"""What is known of a .env file before it moves."""

import subprocess
from pathlib import Path

import pytest

from pierhead.cli.failures import CommandError
from pierhead.cli.secrets.migration.env_file import EnvFile, parse, read

VALUE = "correct horse"


def test_a_file_is_read_as_the_operator_reads_it(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"\xef\xbb\xbf# comment\nA=1.10\nB=\"two\\nlines\"\n\nC='x # y' # z\n")
    path.chmod(0o600)

    assert read(path) == EnvFile(
        text="# comment\nA=1.10\nB=\"two\\nlines\"\n\nC='x # y' # z\n",
        variables={"A": "1.10", "B": "two\nlines", "C": "x # y"},
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("URL=https://${HOST}/", "URL: ${…} stays"),
        ("\n\n  export A=1", "A: `export` is dropped"),
        ("A=\nB=''", "A, B: empty"),
        ("\n".join(f"K{number}=" for number in range(9)), "K0, K1, K2, K3, K4 and 4 more: empty"),
    ],
)
def test_what_a_secret_cannot_do_is_told(text: str, words: str) -> None:
    assert words in " | ".join(parse(text, ".env").warnings)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A=1\nA=2", "has the variable 'A' twice"),
        (f"A=1\n{VALUE}", "line 2"),
        ("A=1\n\nB", "line 3 has no ="),
        (f"{VALUE}=1", "line 1"),
        ("# nothing", "has no variables"),
        ("", "has no variables"),
    ],
)
def test_what_is_no_dotenv_is_refused_by_its_line(text: str, words: str) -> None:
    with pytest.raises(CommandError, match=words) as raised:
        parse(text, ".env")
    assert VALUE not in str(raised.value)


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"A=\xff")
    (tmp_path / "large").write_bytes(b"A=" + b"x" * 2**20)
    for name, words in {"none": "No such file", "binary": "not UTF-8", "large": "more than"}.items():
        with pytest.raises(CommandError, match=words):
            read(tmp_path / name)


def test_who_else_could_have_read_the_file_is_told(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True, capture_output=True)

    path = tmp_path / "-env"
    path.write_text(f"A={VALUE}")
    path.chmod(0o640)
    assert [text.split(":")[0] for text in read(path).warnings] == [
        f"{path} can be read by others on this machine"
    ]
    path.chmod(0o600)
    git("init", "-q")
    assert "is not ignored by git" in " ".join(read(path).warnings)
    (tmp_path / ".gitignore").write_text("*env\n")
    assert read(path).warnings == ()
    git("add", "-f", "--", "-env")
    (warning,) = read(path).warnings
    assert "tracked by git" in warning
    assert "rotate" in warning


def test_no_representation_has_a_value() -> None:
    assert VALUE not in repr(parse(f"A={VALUE}", ".env"))
