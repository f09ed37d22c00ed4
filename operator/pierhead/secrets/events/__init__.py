"""Events of AWS as hints that a SyncedSecret should look now."""
