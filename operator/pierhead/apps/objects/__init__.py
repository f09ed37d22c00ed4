"""The objects of a release in the cluster."""
