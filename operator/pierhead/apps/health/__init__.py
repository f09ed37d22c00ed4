"""Health beyond what objects say of themselves."""
