"""What may be set for a bot, its versions, and what its kind is given of it."""
