"""What others use to add bots. See docs/bots.md."""

from botyard.bots.adding import NewBot
from botyard.bots.asking import Unreachable
from botyard.bots.connecting import AddedBot, add_bot

__all__ = ["AddedBot", "NewBot", "Unreachable", "add_bot"]
