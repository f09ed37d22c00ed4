"""Benchmarks: what the operator takes for its work, beside the same work done by a bare client loop."""
