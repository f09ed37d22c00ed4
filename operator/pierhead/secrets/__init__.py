"""SyncedSecret: AWS values in Kubernetes Secrets."""
