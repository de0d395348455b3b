"""The ``botyard`` command. Each subcommand imports only what it needs, so that the supervisor stays small."""

import sys

import typer

from botyard.commands import bot, dead, keys, processes
from botyard.commands.doctor import doctor
from botyard.commands.erase import erase
from botyard.commands.lanes import lanes
from botyard.commands.logs import logs
from botyard.commands.output import NOT_RUNNING, TROUBLE, say
from botyard.commands.run import run
from botyard.commands.status import status
from botyard.commands.trace import trace
from botyard.errors import BotyardError, InputError

app = typer.Typer(
    help="A home for a yard full of Telegram bots.",
    no_args_is_help=True,
    add_completion=True,
    # A traceback with the values of its variables would show tokens.
    pretty_exceptions_show_locals=False,
)
app.command()(run)
app.command()(status)
app.command()(doctor)
app.command()(lanes)
app.command()(trace)
app.command()(logs)
app.command()(erase)
app.add_typer(bot.app, name="bot")
app.add_typer(dead.app, name="dead")
app.add_typer(keys.app, name="keys")
app.command()(processes.migrate)
app.command()(processes.poller)
app.command()(processes.flower)
app.command(hidden=True)(processes.prepare)


def main() -> None:
    """Run the command; what a person can mend ends as one line."""
    try:
        app()
    except InputError as error:
        say(f"botyard: {error}")
        sys.exit(TROUBLE)
    except BotyardError as error:
        say(f"botyard: {error}")
        sys.exit(NOT_RUNNING)
    except Exception as error:  # whatever it is, but for servers that are away, goes on as it came
        if (whose := _away(error)) is None:
            raise
        say(f"botyard: {whose} cannot be reached ({type(error).__name__}). `botyard doctor` says more.")
        sys.exit(NOT_RUNNING)


def _away(error: Exception) -> str | None:
    """Which server is away, if that is what the error says. Told by names: nothing is loaded to find it out."""
    names = {f"{one.__module__.partition('.')[0]}.{one.__name__}" for one in type(error).__mro__}
    if names & {"redis.RedisError", "kombu.OperationalError"}:
        return "Redis"
    if names & {"sqlalchemy.OperationalError", "sqlalchemy.InterfaceError", "psycopg2.OperationalError"}:
        return "PostgreSQL"
    return None


if __name__ == "__main__":
    main()
