"""`pierhead secrets …`: SyncedSecrets from the command line."""
