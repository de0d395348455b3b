"""Messages that bots send by themselves: when, to whom, what. See docs/schedules.md."""
