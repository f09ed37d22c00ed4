"""How much a SyncedSecret may hold."""

MOST_KEYS = 100
MOST_EXTRACTS = 10
MOST_WORKLOADS = 20
MOST_RESTARTS = 40
"""Workloads that one SyncedSecret restarts, named or found."""
MESSAGE_LIMIT = 120
"""Characters of one key's message in the status."""

MOST_TAGS = 10
MOST_FOUND = 100
"""Secrets and parameters that all of `find` may find."""

FOUND_NAMES_LIMIT = 8000
"""Characters of all their names: the status has to hold them."""

FIND_LIMIT = 200
"""Characters of the criteria of one `find` in the status."""

MOST_REWRITES = 10
"""Steps from names to keys."""
RESTART_MESSAGE_LIMIT = 160
"""Characters of one restart's message in the status."""
