"""The ``botyard`` command. Each subcommand imports only what it needs, so that the supervisor stays small."""

import sys
from typing import Final

import typer

from botyard.commands import (
    admin,
    backup,
    bot,
    configuration,
    customer,
    dead,
    endpoint,
    erasure,
    key,
    keys,
    lifecycle,
    member,
    operation,
    processes,
    schedule,
    user,
)
from botyard.commands.dialogues import play_dialogues
from botyard.commands.doctor import doctor
from botyard.commands.erase import erase
from botyard.commands.export import export
from botyard.commands.importing import import_bot
from botyard.commands.lanes import lanes
from botyard.commands.logs import logs
from botyard.commands.output import NOT_RUNNING, TROUBLE, say
from botyard.commands.run import run
from botyard.commands.send import messages, send
from botyard.commands.status import status
from botyard.commands.trace import trace
from botyard.errors import BotyardError, InputError

# undefined_table, undefined_column
_NO_SUCH_TABLE: Final = ("42P01", "42703")
# query_canceled, lock_not_available
_TOO_SLOW: Final = ("57014", "55P03")
_DATABASE_AWAY: Final = {
    "sqlalchemy.OperationalError", "sqlalchemy.InterfaceError", "sqlalchemy.TimeoutError", "psycopg2.OperationalError",
}  # fmt: skip

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
app.command()(send)
app.command()(messages)
app.command()(lifecycle.audit)
app.command()(logs)
app.command()(erase)
app.command()(endpoint.events)
app.command()(export)
app.command(name="import")(import_bot)
app.command(name="test-bot")(play_dialogues)
bot.app.add_typer(configuration.app)
bot.app.add_typer(lifecycle.app)
app.add_typer(bot.app, name="bot")
app.add_typer(customer.app, name="customer")
app.add_typer(admin.app, name="admin")
app.add_typer(backup.app, name="backup")
app.add_typer(dead.app, name="dead")
app.add_typer(endpoint.app, name="endpoint")
app.add_typer(user.app, name="user")
app.add_typer(key.app, name="key")
app.add_typer(keys.app, name="keys")
app.add_typer(member.app, name="member")
app.add_typer(operation.app, name="operation")
app.add_typer(schedule.app, name="schedule")
app.add_typer(erasure.app, name="person")
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
    except Exception as error:  # whatever it is, but for what servers say, goes on as it came
        if (told := _of_servers(error)) is None:
            raise
        sentence, code = told
        say(f"botyard: {sentence}")
        sys.exit(code)


def _of_servers(error: Exception) -> tuple[str, int] | None:
    """What an error of a server means, and the exit code; nothing if it is none.

    What the database itself says has a code (https://www.postgresql.org/docs/current/errcodes-appendix.html).
    """
    said = getattr(getattr(error, "orig", error), "pgcode", None)
    if said in _NO_SUCH_TABLE:
        return "the tables of the database are not up to date. Run `botyard migrate`.", TROUBLE
    if said in _TOO_SLOW:
        return "PostgreSQL did not get it done in time. Try again when it has less to do.", NOT_RUNNING
    if (whose := _away(error)) is None:
        return None
    return f"{whose} cannot be reached ({type(error).__name__}). `botyard doctor` says more.", NOT_RUNNING


def _away(error: Exception) -> str | None:
    """Which server is away, if that is what the error says. Told by names: nothing is loaded to find it out."""
    names = {f"{one.__module__.partition('.')[0]}.{one.__name__}" for one in type(error).__mro__}
    if "redis.RedisError" in names:
        return "Redis"
    if "kombu.OperationalError" in names:
        from botyard.settings import get_settings  # noqa: PLC0415

        return "Redis" if get_settings().broker_url is None else "RabbitMQ"
    if names & _DATABASE_AWAY:
        return "PostgreSQL"
    return None


if __name__ == "__main__":
    main()
