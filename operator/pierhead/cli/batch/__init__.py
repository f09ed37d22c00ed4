"""What people do with BatchJobs."""
