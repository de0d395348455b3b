"""The idiomatic bots, and playing their dialogues on a stage."""

from pathlib import Path

from botyard.dialogues import Control, Player, Transcript, read_dialogue
from tests.idiomatic.stages import Stage

BOTS = Path(__file__).parent / "bots"
NAMES = sorted(path.stem for path in BOTS.glob("*.yml"))
FIRST_TOKEN = 4_300_000_001


def token_of(name: str) -> str:
    """The token of a bot, the same in every run: other bots of one simulator have other ones."""
    return f"{FIRST_TOKEN + NAMES.index(name)}:AAAA-of-an-invented-bot"


def play(name: str, stage: Stage, *, patience: float = 1.0) -> Transcript:
    """Play the dialogue of a bot on a stage, and return what the bot did."""
    dialogue = read_dialogue(BOTS / f"{name}.yml")
    token = dialogue.bot.token or token_of(name)
    with Control(stage.url) as control:
        player = Player(dialogue, control, token, patience=patience)
        try:
            player.prepare()
            stage.start(BOTS / f"{name}.py", dialogue, token)
            return player.play(stage.restart)
        finally:
            stage.stop()
