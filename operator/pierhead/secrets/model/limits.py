"""How much a SyncedSecret may hold."""

MOST_KEYS = 100
MOST_EXTRACTS = 10
MOST_WORKLOADS = 20
MOST_RESTARTS = 40
"""Workloads that one SyncedSecret restarts, named or found."""
MESSAGE_LIMIT = 120
"""Characters of one key's message in the status."""

MOST_TAGS = 10
MOST_FOUND = MOST_KEYS
"""Secrets and parameters that all of `find` may find, less one for each entry of `data`: the status has a
line for each."""

FOUND_NAME_LENGTH = 80
"""Characters of their names on average."""

FIND_LIMIT = 200
"""Characters of the criteria of one `find` in the status."""

MOST_REWRITES = 10
"""Steps from names to keys."""
RESTART_MESSAGE_LIMIT = 160
"""Characters of one restart's message in the status."""
