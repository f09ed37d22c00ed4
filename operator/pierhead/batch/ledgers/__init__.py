"""Which index has run, failed or is left: exact, small and durable."""
