"""All filters there are.

Invariant: a template can call what is listed here and nothing else. `docs/templates.md` has each of
them, with an example that a test runs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from pierhead.secrets.templates.filters import credentials, documents, encodings, texts


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter."""

    usage: str
    """How it is written, for messages."""

    call: Callable[..., Any] | None
    """What it does, a function of the value and the arguments; None for those that the evaluation does, as
    they need more than that."""

    least: int = 0
    most: int = 0
    """How many arguments it takes."""

    constants: tuple[int, ...] = ()
    """What has to be constant, as a message may show it: 0 is the value, 1 the first argument."""


FILTERS: Final[Mapping[str, Filter]] = MappingProxyType(
    {
        # What is in the keys.
        "key": Filter('"name" | key', None, constants=(0,)),
        "keys": Filter('"prefix*" | keys', None, constants=(0,)),
        "default": Filter("VALUE | default(value)", None, 1, 1),
        # Text.
        "upper": Filter("TEXT | upper", texts.upper),
        "lower": Filter("TEXT | lower", texts.lower),
        "trim": Filter("TEXT | trim", texts.trim),
        "replace": Filter('TEXT | replace("old", "new")', texts.replace, 2, 2),
        "split": Filter('TEXT | split(",")', texts.split, 1, 1),
        "join": Filter('LIST | join(",")', texts.join, 0, 1),
        "indent": Filter("TEXT | indent(4)", texts.indent, 1, 1),
        "urlencode": Filter("TEXT | urlencode", texts.urlencode),
        "shellquote": Filter("TEXT | shellquote", texts.shellquote),
        "dotenvquote": Filter("TEXT | dotenvquote", texts.dotenvquote),
        "dotenv": Filter("MAPPING | dotenv", texts.dotenv),
        # Bytes.
        "base64encode": Filter("VALUE | base64encode", encodings.base64encode),
        "base64decode": Filter("TEXT | base64decode", encodings.base64decode),
        "base64urlencode": Filter("VALUE | base64urlencode", encodings.base64urlencode),
        "base64urldecode": Filter("TEXT | base64urldecode", encodings.base64urldecode),
        "toutf8": Filter('BINARY | toutf8("utf-16")', encodings.toutf8, 1, 1, constants=(1,)),
        # Documents.
        "fromjson": Filter("TEXT | fromjson", documents.fromjson),
        "tojson": Filter("VALUE | tojson", documents.tojson),
        "toyaml": Filter("VALUE | toyaml", documents.toyaml),
        "get": Filter('MAPPING | get("path")', documents.get, 1, 1, constants=(1,)),
        "merge": Filter("MAPPING | merge(MAPPING)", documents.merge, 1, 1),
        # Credentials.
        "dockerconfigjson": Filter(
            'PASSWORD | dockerconfigjson("registry", "username")', credentials.dockerconfigjson, 2, 2
        ),
        "pem": Filter('TEXT | pem("chain")', credentials.pem, 1, 1, constants=(1,)),
        "pkcs12": Filter('BINARY | pkcs12("key", PASSWORD)', None, 1, 2, constants=(1,)),
    }
)
