"""What is known of a bot or of one person, written down for somebody to take away. See docs/export.md."""
