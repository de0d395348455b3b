"""Forgetting one person, wherever the platform has anything of them. See docs/export.md."""
