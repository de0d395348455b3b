"""``botyard test-bot``."""

from pathlib import Path
from typing import Annotated

import typer

from botyard.commands.output import TROUBLE, say


def play_dialogues(
    script: Annotated[str, typer.Argument(help="A script that ends in run_polling(), or another kind of bot.")],
    dialogues: Annotated[
        list[Path], typer.Argument(help="Dialogues to play, each from the beginning.", exists=True, dir_okay=False)
    ],
    *,
    patience: Annotated[float, typer.Option(help="A factor on the seconds of the dialogues.", min=0.1)] = 1.0,
) -> None:
    """Play dialogues with a bot, on a Botyard that is started for it. Exit code 1 if the bot does something else."""
    from botyard.dialogues import DialogueFailed  # noqa: PLC0415
    from botyard.running.stage import Stage  # noqa: PLC0415
    from botyard.telegram.loading import lasting_name, look_at  # noqa: PLC0415

    # Before anything is started: what cannot be loaded is said at once.
    look_at(script)
    failed = 0
    with Stage(patience=patience) as stage:
        for number, dialogue in enumerate(dialogues):
            if number:
                say("")
            try:
                stage.play(lasting_name(script), dialogue)
            except DialogueFailed as error:
                failed += 1
                say(str(error))
            else:
                print(f"{dialogue}: as expected.")  # noqa: T201
    if failed:
        raise typer.Exit(TROUBLE)
