"""The command line that all benchmarks share."""

import argparse


def number(description: str | None, default: int, what: str) -> int:
    """The value of `-n`."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-n", type=_positive, default=default, help=f"how many {what} (default {default})")
    return int(parser.parse_args().n)


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)
