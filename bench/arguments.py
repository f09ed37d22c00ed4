"""The command line that all benchmarks share."""

import argparse


def number(description: str | None, default: int, what: str) -> int:
    """The value of `-n`."""
    return int(_parser(description, default, what).parse_args().n)


def numbers(description: str | None, default: int, what: str, **more: int) -> tuple[int, ...]:
    """The values of `-n` and of further options, given by their defaults."""
    parser = _parser(description, default, what)
    for name, value in more.items():
        parser.add_argument(f"--{name}", type=_positive, default=value, help=f"default {value}")
    given = vars(parser.parse_args())
    return tuple(int(given[name]) for name in ("n", *more))


def _parser(description: str | None, default: int, what: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-n", type=_positive, default=default, help=f"how many {what} (default {default})")
    return parser


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)
