"""Sources of an AppRelease, fetched into content-addressed artifacts on disk."""
