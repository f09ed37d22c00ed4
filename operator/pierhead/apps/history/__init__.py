"""Revisions of a release, kept in Helm's own format."""
