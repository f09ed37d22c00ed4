"""Helm's hooks, run and recorded."""
