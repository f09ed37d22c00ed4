"""The command line that all benchmarks share."""

import argparse
from collections.abc import Collection


def number(description: str | None, default: int, what: str) -> int:
    """The value of `-n`."""
    return int(_parser(description, default, what).parse_args().n)


def numbers(
    description: str | None, default: int, what: str, from_zero: Collection[str] = (), /, **more: int
) -> tuple[int, ...]:
    """The values of `-n` and of further options, given by their defaults; some of them may be 0."""
    parser = _parser(description, default, what)
    for name, value in more.items():
        kind = _number if name in from_zero else _positive
        parser.add_argument(f"--{name}", type=kind, default=value, help=f"default {value}")
    given = vars(parser.parse_args())
    return tuple(int(given[name]) for name in ("n", *more))


def _parser(description: str | None, default: int, what: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-n", type=_positive, default=default, help=f"how many {what} (default {default})")
    return parser


def _positive(text: str) -> int:
    return _number(text, least=1)


def _number(text: str, least: int = 0) -> int:
    if not text.isdigit() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least}")
    return int(text)
