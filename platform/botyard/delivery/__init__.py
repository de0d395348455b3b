"""From committed outbox rows to the Bot API, in order, within its limits. See docs/delivery.md."""
