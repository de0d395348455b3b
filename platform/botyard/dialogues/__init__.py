"""Dialogues: what people say to a bot and what it is expected to do, written down, and played on the simulator."""

from botyard.dialogues.control import Control
from botyard.dialogues.errors import DialogueError, DialogueFailed, InvalidDialogue, OrderRefused
from botyard.dialogues.player import Player
from botyard.dialogues.reading import read_dialogue
from botyard.dialogues.script import Dialogue
from botyard.dialogues.transcript import Act, Transcript

__all__ = [
    "Act",
    "Control",
    "Dialogue",
    "DialogueError",
    "DialogueFailed",
    "InvalidDialogue",
    "OrderRefused",
    "Player",
    "Transcript",
    "read_dialogue",
]
