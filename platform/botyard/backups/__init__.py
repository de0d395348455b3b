"""Backups that were restored and compared, or an alert that says why not. See docs/backups.md."""
