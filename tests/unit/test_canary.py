"""The search for leaked values finds what it has to, and nothing else."""

import base64
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from repository_files import ROOT
from support.canary import MARK, Traces, marked, unmarked

VALUE = "s3cr3t/välue+of a test"
RAW = VALUE.encode()
PAIR = f"DB_PASSWORD={VALUE};".encode()
LEAKS = {
    "plain": f"it is {VALUE}.",
    "in JSON": json.dumps({"m": VALUE}),
    "as repr": repr({"m": [VALUE]}),
    "as bytes": str(RAW),
    "quoted": quote(VALUE),
    "hexadecimal": RAW.hex(),
    "base64": base64.b64encode(RAW).decode(),
    "base64 of JSON": base64.b64encode(json.dumps({"m": VALUE}, ensure_ascii=False).encode()).decode(),
    "base64 one further": base64.b64encode(b"x" + RAW + b"y").decode(),
    "url-safe base64": base64.urlsafe_b64encode(b"??" + RAW).decode(),
    "digest": hashlib.sha3_224(RAW).hexdigest(),
    "digest cut off": f"v-{hashlib.sha256(RAW).hexdigest()[:20]}",
    "digest as uuid": "{:.8}-{:.4}-{:.4}-{:.4}-{:.12}".format(
        *(hashlib.sha1(RAW).hexdigest()[place:] for place in (0, 8, 12, 16, 20))
    ),
    "digest in base64": base64.b64encode(hashlib.md5(RAW).digest()).decode(),
    "digest of the pair": hashlib.sha1(PAIR).hexdigest(),
}


@pytest.mark.parametrize("form", LEAKS)
@pytest.mark.parametrize(
    "written",
    [RAW, json.dumps({"a": [{"b": VALUE}]}).encode(), f"A=1\nB='{VALUE}'\n".encode(), base64.b64encode(RAW)],
    ids=["whole", "in JSON", "in dotenv", "in base64"],
)
def test_a_leak_is_found_in_every_form(form: str, written: bytes) -> None:
    assert Traces([written], keys=["DB_PASSWORD"]).found_in(f"before {LEAKS[form]} after")


@pytest.mark.parametrize("text", ["", "an honest text", hashlib.sha256(b"other").hexdigest(), "välue"])
def test_what_is_no_leak_is_left_alone(text: str) -> None:
    assert Traces([RAW, b"pw", b"1", b"true"]).found_in(text) == []
    assert not Traces([RAW], known=f"names: {VALUE}").found_in(VALUE)


@pytest.mark.parametrize(
    ("value", "traced"),
    [
        ("pw", f"{MARK}pw"),
        ('{"a": "x", "n": 1.10}', f'{{"a": "{MARK}x", "n": 1.10}}'),
        ("A=1\nexport B='two words'\n", f"A={MARK}1\nexport B='{MARK}two words'\n"),
        ("[1, 2", "[1, 2"),
        ("5432", "5432"),
        (b"\x00", b"\x00"),
    ],
    ids=["word", "JSON", "dotenv", "broken", "number", "bytes"],
)
def test_a_mark_changes_no_form_and_comes_off(value: str | bytes, traced: str | bytes) -> None:
    found = marked(value)
    assert found == traced
    assert marked(found) == found
    raw = found if isinstance(found, bytes) else found.encode()
    for encode in (bytes, base64.b64encode, lambda raw: base64.b64encode(base64.b64encode(raw))):
        assert unmarked(encode(raw)).find(MARK.encode()) == -1
    assert unmarked(raw) == (value if isinstance(value, bytes) else value.encode())


PLANTED = """
import logging, sys
import pytest, structlog

VALUE = "planted-s3cr3t"

@pytest.fixture(autouse=True)
def watched(canary):
    canary.watch(VALUE.encode())

@pytest.fixture
def torn():
    yield
    structlog.get_logger("pierhead.x").info(VALUE)

class Sink:
    def sinks(self):
        yield "status", VALUE

@pytest.fixture
def lab():
    return Sink()

def test_structlog(): structlog.get_logger("pierhead.x").debug("read", value=VALUE)
def test_logging(): logging.getLogger("kopf.objects").warning("read %s", VALUE)
def test_traceback():
    try:
        raise RuntimeError(VALUE)
    except RuntimeError:
        structlog.get_logger("pierhead.x").exception("bug")
def test_stdout(): print(VALUE)
def test_stderr(): print(VALUE, file=sys.stderr)
def test_sink(lab): pass
def test_teardown(torn): pass
def test_pardoned(canary):
    canary.pardon("output")
    print(VALUE)
def test_clean(): structlog.get_logger("pierhead.x").debug("read")
"""


def test_a_test_that_leaks_fails(tmp_path: Path) -> None:
    (tmp_path / "test_planted.py").write_text(PLANTED)
    options = ["-p", "support.canary_plugin", "-p", "no:cacheprovider", "-rA", "-q", f"--rootdir={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-o", "asyncio_mode=auto", str(tmp_path)],
        env={"PYTHONPATH": f"{ROOT / 'tests'}:{ROOT / 'operator'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    ended: dict[str, set[str]] = {}
    for how, name in re.findall(r"^(PASSED|FAILED|ERROR) .*?::(\w+)", done.stdout, re.MULTILINE):
        ended.setdefault(how, set()).add(name)
    leaks = {f"test_{name}" for name in ("structlog", "logging", "traceback", "stdout", "stderr", "sink")}
    assert ended == {
        "FAILED": leaks,
        "ERROR": {"test_teardown"},
        "PASSED": {"test_teardown", "test_pardoned", "test_clean"},
    }, done.stdout
