"""How much a SyncedSecret may hold."""

MOST_KEYS = 100
MOST_EXTRACTS = 10
MOST_WORKLOADS = 20
MESSAGE_LIMIT = 120
"""Characters of one key's message in the status."""

MOST_REWRITES = 10
"""Steps from names to keys."""
