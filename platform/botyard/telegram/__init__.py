"""The Bot API: keys of updates, clients, the bot that writes to the outbox. See docs/bots.md."""
