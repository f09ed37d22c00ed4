"""The operator's process."""


def run() -> None:
    """Run the operator until it is told to stop."""
