"""Logs, metrics, error reports; and nothing of it shows a secret. See docs/watching.md."""
