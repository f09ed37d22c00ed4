"""What becomes of jobs in Batch, and of the indexes they run."""
