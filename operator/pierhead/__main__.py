"""`python -m pierhead`: the operator's process, and the door to the command line."""

import sys


def main() -> None:
    """Runs `pierhead run` without loading the command line's libraries, anything else with them."""
    if sys.argv[1:] == ["run"]:
        from pierhead.run import run  # noqa: PLC0415 (each door loads only what it needs)

        run()
    else:
        from pierhead.cli.main import app  # noqa: PLC0415

        app()


if __name__ == "__main__":
    main()
