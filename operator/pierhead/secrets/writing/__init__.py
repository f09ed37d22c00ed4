"""The Secret that is written, and what is known of it."""
