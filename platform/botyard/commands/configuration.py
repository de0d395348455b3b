"""``botyard bot config``, ``configure``, ``history``, ``rollback``, ``schema``, and ``botyard bot secret``."""

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from botyard.commands.output import AsJson, BotName, attached, say, show, show_json, show_one

if TYPE_CHECKING:
    from botyard.bots.configuration.configuring import Configured
    from botyard.telegram.kind_shapes import KindShape

app = typer.Typer()
secrets = typer.Typer(help="Keys of services that a bot uses; they are shown to nobody.", no_args_is_help=True)
app.add_typer(secrets, name="secret")

Note = Annotated[str | None, typer.Option(help="Why, for those who read the bot's history.")]
Expected = Annotated[
    int | None, typer.Option(min=0, help="The number that you have seen; refused if it is another one by now.")
]
SecretName = Annotated[str, typer.Argument(help="How the bot's code knows it, as OPENAI_API_KEY.")]
_OF_THE_KIND: Final = "settings"


@app.command()
def config(bot: BotName, *, as_json: AsJson = False) -> None:
    """Show a bot's configuration, and the number of this version."""
    from botyard.bots.configuration.configuring import configuration_of  # noqa: PLC0415

    attached()
    _show(configuration_of(bot), as_json=as_json)


@app.command()
def configure(
    bot: BotName,
    changes: Annotated[
        list[str],
        typer.Argument(help="NAME=VALUE, as settings.greeting=Hi or features.loud=on; NAME= for its default."),
    ],
    *,
    note: Note = None,
    expected: Expected = None,
    as_json: AsJson = False,
) -> None:
    """Change a bot's configuration; it is in use a moment later, and every version is kept."""
    from botyard.bots.configuration import configuring  # noqa: PLC0415

    attached()
    texts = [_assignment(change) for change in changes]
    shape = _shape_of(bot) if any(name.partition(".")[0] == _OF_THE_KIND for name, _ in texts) else None
    values = {name: _value(name, text, shape) for name, text in texts}
    done = configuring.configure(bot, values, shape=shape, expected=expected, note=note)
    _show(done, as_json=as_json)


@app.command()
def history(
    bot: BotName,
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, the newest ones.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the configurations that a bot has had: who set each, when, and what it changed."""
    from botyard.bots.configuration.configuring import history as versions_of  # noqa: PLC0415
    from botyard.bots.configuration.model import difference  # noqa: PLC0415

    attached()
    versions = versions_of(bot, limit + 1)
    rows = []
    for place, version in enumerate(versions[:limit]):
        before = versions[place + 1].configuration if place + 1 < len(versions) else {}
        changes = difference(before, version.configuration)
        row = {"number": version.number, "at": version.at, "by": version.actor, "note": version.note}
        if as_json:
            changed = {name: {"before": was, "after": now} for name, (was, now) in changes.items()}
            rows.append(row | {"changes": changed, "configuration": version.configuration})
        else:
            rows.append(
                row
                | {"changes": ", ".join(f"{name}: {_word(was)} → {_word(now)}" for name, (was, now) in changes.items())}
            )
    show(rows, as_json=as_json, nothing="It was never configured.")


@app.command()
def rollback(
    bot: BotName,
    number: Annotated[int, typer.Argument(min=0, help="Which version, by `botyard bot history`; 0: all by default.")],
    *,
    note: Note = None,
    expected: Expected = None,
    as_json: AsJson = False,
) -> None:
    """Configure a bot as it was: a new version, equal to an earlier one."""
    from botyard.bots.configuration.configuring import roll_back  # noqa: PLC0415

    attached()
    done = roll_back(bot, number, shape=_shape_of(bot), expected=expected, note=note)
    _show(done, as_json=as_json)


@app.command()
def schema(bot: BotName, *, as_json: AsJson = False) -> None:
    """Show which settings a bot's kind takes: their types, defaults and limits. With --json: their JSON schema."""
    attached()
    shape = _shape_of(bot)
    found = shape.schema()
    if as_json:
        show_json({"kind": shape.kind, "takes": list(shape.wants), "settings": found})
        return
    rows = [
        {
            "setting": f"settings.{name}",
            "type": _type(one),
            "default": _word(one["default"]) if "default" in one else "",
            "needed": "yes" if name in found.get("required", ()) else "",
            "what": one.get("description", ""),
        }
        for name, one in found.get("properties", {}).items()
    ]
    show(rows, as_json=False, nothing=f"The kind {shape.kind} takes no settings.")


@secrets.command(name="set")
def set_secret(bot: BotName, name: SecretName, *, as_json: AsJson = False) -> None:
    """Keep a secret for a bot's code; it is asked for, or read from standard input, so that no shell remembers it."""
    from botyard.bots.configuration import service_secrets  # noqa: PLC0415

    attached()
    value = typer.prompt("Secret", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.read()
    kept = service_secrets.set_secret(bot, name, value.rstrip("\r\n"))
    show_one({"name": kept.name, "changed_at": kept.changed_at}, as_json=as_json)


@secrets.command(name="list")
def list_secrets(bot: BotName, *, as_json: AsJson = False) -> None:
    """List the names of a bot's secrets, and when each was last given."""
    from botyard.bots.configuration import service_secrets  # noqa: PLC0415

    attached()
    rows = [{"name": line.name, "changed_at": line.changed_at} for line in service_secrets.list_secrets(bot)]
    show(rows, as_json=as_json, nothing="It has none.")


@secrets.command(name="remove")
def remove_secret(bot: BotName, name: SecretName, *, as_json: AsJson = False) -> None:
    """Forget a secret of a bot."""
    from botyard.bots.configuration import service_secrets  # noqa: PLC0415

    attached()
    service_secrets.remove_secret(bot, name)
    show_one({"removed": name}, as_json=as_json)


def choose(bot: str, *, as_json: bool, **wanted: Any) -> None:
    """What ``botyard bot set`` does: change how a bot is served, and show it; None leaves something as it is."""
    from botyard.bots.configuration import configuring  # noqa: PLC0415

    attached()
    changes = {name: value for name, value in wanted.items() if value is not None}
    found = configuring.configure(bot, changes) if changes else configuring.configuration_of(bot)
    chosen = found.configuration.model_dump(exclude={"admin_chat_id", "features", "settings"})
    show_one({"bot": found.username} | chosen | {"queue": _queue_words(found)}, as_json=as_json)


def _shape_of(bot: str) -> "KindShape":
    from botyard.bots.configuration.configuring import configuration_of  # noqa: PLC0415
    from botyard.telegram.loading import find_shape  # noqa: PLC0415

    return find_shape(configuration_of(bot).kind)


def _assignment(change: str) -> tuple[str, str]:
    from botyard.errors import InputError  # noqa: PLC0415

    name, equals, text = change.partition("=")
    if not equals:
        # What was typed is not repeated: it may be a value without its name.
        raise InputError("change", "has no `=`.", "Write it as answer_callbacks=off, or settings.greeting=Hi.")
    return name.strip(), text


def _value(name: str, text: str, shape: "KindShape | None") -> Any:
    from botyard.bots.configuration.model import UNSET, value_of  # noqa: PLC0415

    if not text:
        return UNSET
    top, *path = name.split(".")
    return shape.read_text(path, text) if top == _OF_THE_KIND and path and shape else value_of(name, text)


def _show(found: "Configured", *, as_json: bool) -> None:
    from botyard.bots.configuration.model import flat  # noqa: PLC0415

    values = found.configuration.model_dump(mode="json")
    row: dict[str, Any] = {"bot": found.username, "number": found.number, "kind": found.kind}
    if as_json:
        show_json(row | {"queue_now": found.queue, "configuration": values})
        return
    values["queue"] = _queue_words(found)
    show_one(row | {name: _word(value) for name, value in flat(values).items()}, as_json=False)
    if not found.configuration.settings:
        say(f"`botyard bot schema {found.username}` shows the settings of its kind.")


def _queue_words(found: "Configured") -> str:
    """The pool that was chosen for a bot, or where its pace has put it."""
    chosen = found.configuration.queue
    return f"auto (now {found.queue})" if chosen == "auto" else chosen


def _word(value: Any) -> str:
    import json  # noqa: PLC0415

    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _type(one: dict[str, Any]) -> str:
    if "anyOf" in one:
        return " or ".join(map(_type, one["anyOf"]))
    if "enum" in one:
        return " or ".join(map(_word, one["enum"]))
    return str(one.get("type", one.get("$ref", "anything").rpartition("/")[2]))
