"""Bringing a bot and its Telegram together: adding, doors, webhooks, and the proof that updates arrive."""
