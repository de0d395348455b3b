"""What bots and people said, and what people send through bots. See docs/users.md."""
