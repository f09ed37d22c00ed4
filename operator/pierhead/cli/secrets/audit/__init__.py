"""Values that look like secrets where none should be, and the SyncedSecrets that would take their place."""
