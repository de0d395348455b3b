"""The demo bot: what a bot on Botyard looks like, and something to talk to on the first evening."""

from bots.demo.handlers import build

__all__ = ["build"]
