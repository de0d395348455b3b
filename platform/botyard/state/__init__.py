"""What bots remember, as typed JSON and back. See docs/state.md."""
