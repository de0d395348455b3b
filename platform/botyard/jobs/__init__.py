"""Jobs of bots: when they fire, how they are kept, and who puts them into mailboxes. See docs/jobs.md."""
