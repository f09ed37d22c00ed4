"""Restarts of what uses a Secret."""
