"""pydantic models to structural CustomResourceDefinitions."""
