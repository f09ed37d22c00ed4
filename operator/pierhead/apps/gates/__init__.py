"""What holds back a new revision: dependencies, windows, approval."""
