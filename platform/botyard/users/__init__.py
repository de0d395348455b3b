"""The people of a bot: who wrote to it, and what its owner notes of them. See docs/users.md."""
