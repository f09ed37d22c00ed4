"""`pierhead app …`: AppReleases from the command line."""
