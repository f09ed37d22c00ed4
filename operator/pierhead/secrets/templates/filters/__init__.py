"""The filters of templates, by topic."""
