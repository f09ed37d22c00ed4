"""The group `pierhead app`.

Invariant: as in `pierhead.cli.group`.
"""

from pierhead.cli.group import group

app = group(
    "AppReleases: look at them, compare them, approve, roll back, and take applications over.",
    {
        "list": "pierhead.cli.apps.show:list_",
        "get": "pierhead.cli.apps.show:get",
        "tree": "pierhead.cli.apps.tree:tree",
        "render": "pierhead.cli.apps.render:render",
        "diff": "pierhead.cli.apps.diff:diff",
        "history": "pierhead.cli.apps.show:history",
        "rollback": "pierhead.cli.apps.act:rollback",
        "approve": "pierhead.cli.apps.act:approve",
        "reconcile": "pierhead.cli.apps.act:reconcile",
        "suspend": "pierhead.cli.apps.act:suspend",
        "resume": "pierhead.cli.apps.act:resume",
        "adopt": "pierhead.cli.adopt.command:adopt",
    },
)
