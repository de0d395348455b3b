"""Looking after what Telegram has of each bot, and saying what is wrong with it."""
