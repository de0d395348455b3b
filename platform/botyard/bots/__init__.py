"""The registry of bots: who is served, how, and by which secrets they are known."""
