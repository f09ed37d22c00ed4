"""BatchJob: AWS Batch array jobs that report like an Indexed Job."""
