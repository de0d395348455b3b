"""The REST API. See docs/api.md."""
