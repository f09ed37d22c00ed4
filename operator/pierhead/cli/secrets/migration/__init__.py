"""Values that move into AWS, and the SyncedSecrets that take their place."""
