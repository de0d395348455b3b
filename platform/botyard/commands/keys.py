"""``botyard keys``: keys that encrypt tokens at rest."""

import typer

app = typer.Typer(help="Keys that encrypt tokens at rest.", no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Keys that encrypt tokens at rest."""


@app.command()
def generate() -> None:
    """Print a new key for SECRET_KEY."""
    from cryptography.fernet import Fernet  # noqa: PLC0415

    print(Fernet.generate_key().decode())  # noqa: T201
