"""What people type: `pierhead …`, also installed as `kubectl-pierhead`."""
