"""The group `pierhead batch`.

Invariant: as in `pierhead.cli.group`.
"""

from pierhead.cli.group import group

app = group(
    "BatchJobs: see how they get on and why they fail, retry, stop, and find what outlived them.",
    {
        "list": "pierhead.cli.batch.show:list_",
        "get": "pierhead.cli.batch.show:get",
        "watch": "pierhead.cli.batch.watch:watch",
        "logs": "pierhead.cli.batch.logs:logs",
        "retry": "pierhead.cli.batch.retry:retry",
        "stop": "pierhead.cli.batch.stop:stop",
        "orphans": "pierhead.cli.batch.orphans:orphans",
        "cost": "pierhead.cli.batch.costs.command:cost",
    },
)
