"""From a ticket to committed effects: one time slice of a bot's updates. See docs/processing.md."""
