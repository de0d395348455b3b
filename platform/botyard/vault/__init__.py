"""Bots' secrets at rest: sealed for one row each, opened in one place only. See docs/secrets.md."""
