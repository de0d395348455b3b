"""A smoke test against the Bot API itself, with a token of one's own: `make test-live`."""
