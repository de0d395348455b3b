"""Files that bots send: their content until it is sent, and their ids at Telegram. See docs/delivery.md."""
