"""What a secret looks like, by its name or by itself.

Invariants: pure, and linear in the length of a text, whoever wrote it; a verdict says why and never holds the
value. What is only a name, a reference or a placeholder is no secret, however its key is called.
"""

import math
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, Final

from pierhead.model.patterns import compiled

LONGEST: Final = 65536
"""Characters of one value that are looked at."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a value looks like a secret: a rule's name, and a sentence."""

    rule: str
    why: str


# Sources: the services' own documents on their tokens' prefixes.
_TOKENS: Final = (
    ("PrivateKey", "is a private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"),
    ("AwsAccessKey", "is an access key of AWS", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    ("JsonWebToken", "is a JSON Web Token", r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}"),
    (
        "GitHubToken",
        "is a token of GitHub",
        r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255})\b",
    ),
    ("GitLabToken", "is a token of GitLab", r"\bgl(?:pat|dt|rt)-[\w-]{20,}"),
    (
        "SlackToken",
        "is a token of Slack",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/T\w+/B\w+/\w{16,}",
    ),
    ("StripeKey", "is a live key of Stripe", r"\b[rs]k_live_[A-Za-z0-9]{16,}"),
    ("GoogleKey", "is an API key of Google", r"\bAIza[\w-]{35}"),
    ("SendGridKey", "is a key of SendGrid", r"\bSG\.[\w-]{22}\.[\w-]{43}"),
    ("NpmToken", "is a token of npm", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("PyPIToken", "is a token of PyPI", r"\bpypi-AgE[\w-]{50,}"),
    ("AzureKey", "is a storage account's key of Azure", r"AccountKey=[A-Za-z0-9+/]{80,}={0,2}"),
)

_URL_SHAPE: Final = r"\b[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s:@/]*:([^\s@/]+)@[^\s/@]"
_LIST_SHAPE: Final = r"(?i)(?:^|[;\s])(?:password|pwd)\s*=\s*([^;\s]+)\s*(?:;|$)"

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_STRONG: Final = frozenset({"password", "passwd", "pwd", "passphrase", "apikey", "pass", "passcode"})
_WEAK: Final = frozenset({"secret", "token", "credential", "credentials", "auth", "signature"})
_PAIRS: Final = frozenset(
    {
        *(("api", "key"), ("access", "key"), ("private", "key"), ("secret", "key"), ("encryption", "key")),
        *(("signing", "key"), ("master", "key"), ("auth", "key"), ("account", "key"), ("license", "key")),
        *(("connection", "string"), ("webhook", "url")),
    }
)
# What a key that ends so holds is about a secret, and is none.
_ABOUT: Final = frozenset(
    {
        *("name", "names", "ref", "path", "file", "dir", "directory", "mount", "ttl", "expiry", "expiration"),
        *("expires", "timeout", "length", "size", "policy", "enabled", "disabled", "count", "type", "header"),
        *(
            "issuer",
            "audience",
            "id",
            "ids",
            "min",
            "max",
            "retries",
            "rotation",
            "interval",
            "field",
            "mode",
        ),
        *("prefix", "suffix", "algorithm", "format", "method", "hash", "digest", "url", "uri", "endpoint"),
        *("host", "key", "keys", "version", "provider", "class", "store", "required", "seconds", "days"),
        *("minutes", "hours", "namespace", "annotations", "labels", "scope", "scopes", "username", "user"),
    }
)
_REFERRING: Final = frozenset({"existing", "pull", "checksum"})
_PUBLIC: Final = frozenset(
    {
        *(
            "checksum",
            "hash",
            "digest",
            "sha",
            "sha256",
            "commit",
            "revision",
            "etag",
            "uid",
            "uuid",
            "version",
        ),
        *(
            "certificate",
            "cert",
            "ca",
            "bundle",
            "public",
            "fingerprint",
            "integrity",
            "image",
            "tag",
            "guid",
        ),
    }
)

_PLACEHOLDERS: Final = frozenset(
    {
        *("changeme", "change-me", "change_me", "password", "secret", "token", "example", "redacted", "none"),
        *("null", "true", "false", "yes", "no", "todo", "tbd", "placeholder", "dummy", "test", "replace-me"),
        *("replaceme", "unset", "default", "required", "optional", "enabled", "disabled"),
    }
)
_TEMPLATED: Final = (
    r"\{\{",
    r"\$\{",
    r"\$\(",
    r"^<[^<>]*>$",
    r"^%\(?\w",
    r"^\$[A-Za-z_]\w*$",
    r"^ENC\[",
    r"^ref\+",
)
_MASKED: Final = r"^(?:[*x•.X#-]{3,}|your[-_ ].*|my[-_ ].*|.*example.*)$"
_NAME: Final = r"^[a-z][a-z0-9]*(?:[-./_:][a-z0-9]+)*$"
_LOCATION: Final = r"^(?:/[\w./-]*|\.{1,2}/.*|arn:[\w-]+:.*|[a-z]:\\.*|https?://[^:@\s]*)$"
_UUID: Final = r"^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_RANDOM: Final = r"^[A-Za-z0-9+/_=-]{20,512}$"
_HEX: Final = r"^[0-9a-fA-F]{32,512}$"
_HUMPS: Final = (r"[a-z]", r"[A-Z]", r"[0-9]")

_LEAST: Final = 4
_MOST_DIGITS_OF_NAME: Final = 0.2
_LEAST_BITS: Final = 4.2
_LEAST_BITS_OF_HEX: Final = 3.2


def judge(key: str, value: str) -> Verdict | None:
    """Why this looks like a secret, if it does."""
    text = value[:LONGEST].strip()
    if not text:
        return None
    found = by_shape(text)
    if found is not None or placeholder(text):
        return found
    return by_name(key, text) or by_entropy(key, text)


def by_shape(text: str) -> Verdict | None:
    """What is a secret whatever it is called."""
    for rule, why, pattern in _TOKENS:
        if _search(pattern, text):
            return Verdict(rule, why)
    for pattern in (_URL_SHAPE, _LIST_SHAPE):
        match = _search(pattern, text)
        if match and not placeholder(match.group(1)):
            return Verdict("ConnectionString", "has a password in it")
    return None


def by_name(key: str, text: str) -> Verdict | None:
    """What is called like a secret, and is not just a name or a location."""
    words = _words(key)
    strength = _strength(words)
    if strength is None or len(text) < _LEAST or _search(_LOCATION, text):
        return None
    if strength == "weak" and (_is_name(text) or " " in text):
        return None
    if strength == "strong" and "\n" in text:
        return None
    return Verdict("SecretName", f"is called {'_'.join(words[-3:])}")


def by_entropy(key: str, text: str) -> Verdict | None:
    """What looks as if it was drawn by lot."""
    if _PUBLIC & set(_words(key)) or _search(_UUID, text) or _search(_LOCATION, text):
        return None
    if _search(_HEX, text):
        random = _bits(text) >= _LEAST_BITS_OF_HEX
    else:
        random = (
            bool(_search(_RANDOM, text))
            and all(_search(hump, text) for hump in _HUMPS)
            and _bits(text) >= _LEAST_BITS
        )
    return Verdict("HighEntropy", "looks random") if random else None


def placeholder(text: str) -> bool:
    """Whether a text only stands for a value."""
    return (
        text.lower() in _PLACEHOLDERS
        or any(_search(pattern, text) for pattern in _TEMPLATED)
        or bool(_search(_MASKED, text.lower()))
    )


def _strength(words: tuple[str, ...]) -> str | None:
    """How much a name says that its value is secret."""
    pairs = set(pairwise(words))
    if not words or _REFERRING & set(words):
        return None
    if words[-2:] in _PAIRS:
        return (
            "weak" if words[-2:] in {("secret", "key"), ("access", "key"), ("account", "key")} else "strong"
        )
    if words[-1] in _ABOUT:
        return None
    if _STRONG & set(words):
        return "strong"
    return "weak" if _WEAK & set(words) or pairs & _PAIRS else None


@cache
def _pattern(pattern: str) -> Any:
    return compiled(pattern)


def _search(pattern: str, text: str) -> Any:
    return _pattern(pattern).search(text)


def _words(key: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORDS.findall(key[-256:]))


def _is_name(text: str) -> bool:
    digits = sum(letter.isdigit() for letter in text)
    return bool(_search(_NAME, text)) and digits <= _MOST_DIGITS_OF_NAME * len(text)


def _bits(text: str) -> float:
    """Shannon's entropy in bits a character."""
    total = len(text)
    return -sum(count / total * math.log2(count / total) for count in Counter(text).values())
