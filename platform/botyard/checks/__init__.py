"""Looking at what runs and saying what is wrong with it. See docs/commands.md."""
