"""What is known of a bot's chats: who can be reached, and which group moved. See docs/delivery.md."""
