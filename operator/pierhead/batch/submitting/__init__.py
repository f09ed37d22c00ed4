"""From indexes that are to run to jobs in Batch, each submitted once."""
