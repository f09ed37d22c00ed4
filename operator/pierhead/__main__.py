"""`python -m pierhead`: the operator's process, and the door to the command line."""

import sys
from types import ModuleType

_UNUSED = ("kubernetes", "pykube", "rich")
"""What kopf and structlog load wherever it is installed: 13 MiB that the operator has no use for."""

_COMMAND_LINE_OF_CEL = "cel.cli"
"""What `import cel` loads without asking, with four more libraries behind it."""


def main() -> None:
    """Runs `pierhead run` without loading the command line's libraries, anything else with them."""
    if sys.argv[1:] == ["run"]:
        # None makes an import fail as if it were not installed.
        sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]
        sys.modules[_COMMAND_LINE_OF_CEL] = ModuleType(_COMMAND_LINE_OF_CEL)
        from pierhead.run import run  # noqa: PLC0415 (each door loads only what it needs)

        run()
    else:
        from pierhead.cli.main import app  # noqa: PLC0415

        app()


if __name__ == "__main__":
    main()
