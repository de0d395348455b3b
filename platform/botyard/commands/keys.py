"""``botyard keys``: keys that seal bots' secrets at rest."""

from dataclasses import asdict

import typer

from botyard.commands.output import TROUBLE, AsJson, attached, say, show, show_one

app = typer.Typer(help="Keys that seal bots' secrets at rest.", no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Keys that seal bots' secrets at rest."""


@app.command()
def generate() -> None:
    """Print a new key for SECRET_KEY."""
    from cryptography.fernet import Fernet  # noqa: PLC0415

    print(Fernet.generate_key().decode())  # noqa: T201


@app.command()
def status(*, as_json: AsJson = False) -> None:
    """List the keys that are at hand or needed, and how many secrets each has sealed; the newest first."""
    from botyard.vault.key_use import key_uses  # noqa: PLC0415

    attached()
    uses = key_uses()
    show([asdict(use) for use in uses], as_json=as_json)
    if missing := [use.key_id for use in uses if not use.at_hand]:
        say(f"Not at hand, and needed: {', '.join(missing)}. Add them again, after the newest one.")
        raise typer.Exit(TROUBLE)


@app.command()
def rotate(*, as_json: AsJson = False) -> None:
    """Bring every secret under the newest key, while everything runs: see docs/secrets.md."""
    from botyard.vault.resealing import rotate as bring  # noqa: PLC0415

    attached()
    rotated = bring()
    show_one(asdict(rotated), as_json=as_json)
    if rotated.left:
        say("Some secrets are under a key that is not at hand: `botyard keys status` names it.")
        raise typer.Exit(TROUBLE)
