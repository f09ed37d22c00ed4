"""The command line's root."""

import typer

app = typer.Typer(help="pierhead: applications, secrets and batch work on EKS.")
