"""Records of people, chats and memory, as docs/import.md describes them, as things to import."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from botyard.errors import InputError
from botyard.importing.items import LARGEST_ID, Item, Person, Remembered, Unreachable
from botyard.importing.report import Report
from botyard.importing.settling import Settler
from botyard.importing.stored import fit_state
from botyard.users.tags import attributes_after, fit_language, tags_after
from db.engine import storable

_LONGEST: Final = 256
_USERNAME: Final = re.compile(r"[A-Za-z0-9_]{1,64}", re.ASCII)
_KEY: Final = re.compile(r"-?[1-9]\d{0,15}|b[\w-]{1,128}:-?[1-9]\d{0,15}|p[\w-]{1,128}|0", re.ASCII)
_SCOPES: Final = ("chat", "user", "bot")
_FORMATS: Final = 1

NO_ID: Final = "no number of Telegram's: user_id or chat_id"
UNKNOWN: Final = "a field that is not known: {name}"
MALFORMED: Final = "{name} that is none"
# What an export holds besides, told apart by two of its fields.
_OTHERS: Final = (
    (("direction", "kind"), "messages of the history"),
    (("callback", "trigger"), "jobs: the bot's code declares them anew"),
    (("what", "fingerprint"), "dead letters"),
    (("type", "entity"), "events"),
    (("number", "configuration"), "configurations: `botyard bot configure` sets them"),
    (("day", "updates"), "figures of a day"),
    (("telegram_id", "kind"), "the bot's own row"),
)


@dataclass(frozen=True, slots=True)
class Manner:
    """How records are read.

    Args:
        columns: other names of columns of a table; an empty one leaves the column out.
        of_users: names of conversation handlers that have ``per_chat=False``.
        trusted: whether objects of the bot's own classes are taken.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    of_users: frozenset[str] = frozenset()
    trusted: bool = False


class Reader:
    """Makes things to import of records.

    Args:
        report: is told what is left out.
        manner: how they are read.
    """

    def __init__(self, report: Report, manner: Manner) -> None:
        self._report = report
        self._manner = manner
        self._settler = Settler(report)
        self.is_export = False

    def items(self, record: Any, path: str) -> Iterator[Item]:
        """What one record of JSON says.

        Raises:
            InputError: it is of an export that is newer than this code.
        """
        if not isinstance(record, dict):
            self._report.skip("not an object", path)
            return
        found = {_snake(name): value for name, value in record.items()}
        if found.get("format") == "botyard.bot":
            self._check_export(found.get("version"))
            return
        for names, what in _OTHERS:
            if all(name in found for name in names):
                self._report.skip(what, path)
                return
        if "scope" in found and "state" in found:
            yield from self._conversation(found, path)
        elif "chat" in found:
            yield from self._chat_row(found, path)
        else:
            yield from self._record(found, path)

    def row(self, row: Mapping[str, str], path: str) -> Iterator[Item]:
        """What one row of a table says: columns that are not known become attributes."""
        found: dict[str, Any] = {}
        attributes: dict[str, Any] = {}
        for column, cell in row.items():
            name = self._manner.columns.get(column, _COLUMNS.get(_snake(column), _snake(column)))
            if not cell or not name:
                continue
            if name.startswith("attributes.") or name not in _TEXTS:
                attributes[
                    column if name not in self._manner.columns.values() else name.removeprefix("attributes.")
                ] = cell
            else:
                found[name] = _TEXTS[name](cell)
        if isinstance(found.get("attributes"), str):
            self._report.skip(MALFORMED.format(name="attributes"), path)
            del found["attributes"]
        if attributes:
            found["attributes"] = {**found.get("attributes", {}), **attributes}
        yield from self._record(found, path)

    def _check_export(self, version: Any) -> None:
        if version != _FORMATS:
            raise InputError(
                "file", f"is an export of version {version}, which this Botyard does not know.", "Update it."
            )
        self.is_export = True

    def _record(self, found: dict[str, Any], path: str) -> Iterator[Item]:
        if "bot_data" in found:
            yield from self._remembered("bot", "", found["bot_data"], None, found)
            self._unknown(found, {"bot_data", "updated_at"}, path)
            return
        user_id, chat_id = _id(found.get("user_id")), _id(found.get("chat_id"))
        if user_id is None and chat_id is None:
            plain = _id(found.get("id"))
            user_id, chat_id = (plain, None) if plain is None or plain > 0 else (None, plain)
        if user_id is not None and user_id > 0:
            yield from self._person(user_id, found, path)
        elif chat_id is not None:
            yield from self._chat(chat_id, found, path)
            self._unknown(found, _OF_CHATS, path)
        else:
            self._report.skip(NO_ID, path)

    def _person(self, user_id: int, found: dict[str, Any], path: str) -> Iterator[Item]:
        self._unknown(found, _OF_PEOPLE, path)
        profile = self._fitted(found, _PROFILE, path)
        notes = self._fitted(found, _NOTES, path)
        times = self._fitted(found, _TIMES, path)
        yield Person(user_id, profile, notes, times.get("first_seen"), times.get("last_seen"))
        of_chat = dict(found.get("conversations") or {}) if self._are_talks(found, path) else {}
        of_user = {name: of_chat.pop(name) for name in set(of_chat) & self._manner.of_users}
        talks = _talks(of_user, (user_id,))
        yield from self._remembered("user", str(user_id), found.get("user_data"), talks, found)
        if of_chat or "chat_data" in found:
            talks = _talks(of_chat, (user_id, user_id))
            yield from self._remembered("chat", str(user_id), found.get("chat_data"), talks, found)
        yield from self._reach(str(user_id), found, path)

    def _chat(self, chat_id: int, found: dict[str, Any], path: str) -> Iterator[Item]:
        talks = _talks(found.get("conversations") or {}, None) if self._are_talks(found, path) else {}
        yield from self._remembered("chat", str(chat_id), found.get("chat_data"), talks, found)
        yield from self._reach(str(chat_id), found, path)

    def _chat_row(self, found: dict[str, Any], path: str) -> Iterator[Item]:
        key = found["chat"]
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            self._report.skip(NO_ID, path)
            return
        if found.get("moved_to"):
            self._report.skip("a group that is another chat by now", path)
            return
        yield from self._reach(key, {"blocked": found.get("unreachable_since")}, path)

    def _reach(self, key: str, found: dict[str, Any], path: str) -> Iterator[Item]:
        blocked = found.get("blocked")
        if blocked is True:
            yield Unreachable(key)
        elif isinstance(blocked, str):
            yield Unreachable(key, self._fitted({"blocked": blocked}, {"blocked": _time}, path).get("blocked"))

    def _conversation(self, found: dict[str, Any], path: str) -> Iterator[Item]:
        scope, key = found["scope"], str(found.get("key", ""))
        if scope not in _SCOPES or bool(key) == (scope == "bot") or (key and not _KEY.fullmatch(key)):
            self._report.skip("memory of nobody", path)
            return
        where = f"{scope}_data[{key}]" if key else "bot_data"
        state = fit_state(found["state"], where, self._report, trusted=self._manner.trusted)
        if state is not None:
            yield Remembered(scope, key, state, self._fitted(found, {"updated_at": _time}, path).get("updated_at"))

    def _remembered(
        self,
        scope: str,
        key: str,
        data: Any,
        talks: dict[str, dict[tuple[Any, ...], Any]] | None,
        found: dict[str, Any],
    ) -> Iterator[Item]:
        where = f"{scope}_data[{key}]" if key else "bot_data"
        if data is not None and not isinstance(data, dict):
            self._report.skip("memory that is no object", where)
            data = None
        state = self._settler.row(data or {}, where, talks)
        if state is not None:
            yield Remembered(scope, key, state, self._fitted(found, {"updated_at": _time}, where).get("updated_at"))

    def _are_talks(self, found: dict[str, Any], path: str) -> bool:
        talks = found.get("conversations")
        if talks is None:
            return False
        if isinstance(talks, dict) and all(_is_state(one) for one in talks.values()):
            return True
        self._report.skip(MALFORMED.format(name="conversations"), path)
        return False

    def _fitted(self, found: dict[str, Any], fields: Mapping[str, Callable[[Any], Any]], path: str) -> dict[str, Any]:
        """The fields that are there and fit; others are said."""
        kept = {}
        for name, fit in fields.items():
            value = found.get(name)
            if value is None or value == "":
                continue
            try:
                kept[name] = fit(value)
            except InputError as error:
                self._report.skip(f"{name} that {error.problem}", path)
            except (ValueError, TypeError, AttributeError, OverflowError):
                self._report.skip(MALFORMED.format(name=name), path)
        return kept

    def _unknown(self, found: dict[str, Any], known: set[str], path: str) -> None:
        for name in found.keys() - known:
            self._report.skip(UNKNOWN.format(name=name[:64]), path)


def _snake(name: str) -> str:
    """``firstName``, ``First name`` and ``first_name`` are the same."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip()).replace(" ", "_").replace("-", "_").lower()


def _id(value: Any) -> int | None:
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,16}\s*", value, re.ASCII):
        value = int(value)
    return value if type(value) is int and 0 < abs(value) <= LARGEST_ID else None


def _is_state(value: Any) -> bool:
    if not isinstance(value, list):
        return isinstance(value, str | int)
    return all(isinstance(one, list) and len(one) == 2 and isinstance(one[0], list) for one in value)


def _talks(found: Mapping[str, Any], key: tuple[int, ...] | None) -> dict[str, dict[tuple[Any, ...], Any]]:
    """States by handler and key; one that stands alone is that of the private chat."""
    talks: dict[str, dict[tuple[Any, ...], Any]] = {}
    for name, states in found.items():
        if isinstance(states, list):
            talks[name] = {_hashable(one[0]): one[1] for one in states}
        elif key is not None:
            talks[name] = {key: states}
    return talks


def _hashable(key: list[Any]) -> tuple[Any, ...]:
    return tuple(part if isinstance(part, str | int) else str(part) for part in key)


def _text(value: Any) -> str:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise TypeError
    fit = storable(str(value)).strip()
    if len(fit) > _LONGEST:
        raise ValueError
    return fit


def _username(value: Any) -> str:
    fit = _text(value).removeprefix("@")
    if not _USERNAME.fullmatch(fit):
        raise ValueError
    return fit


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[str(value).lower()]


def _time(value: Any) -> datetime:
    """ISO 8601, or seconds since the epoch; without a zone it is UTC."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return datetime.fromtimestamp(value, UTC)
    found = datetime.fromisoformat(value)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _tags(value: Any) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise TypeError
    return tags_after((), value, ())


def _attributes(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError
    return attributes_after({}, value)


def _cell_of_tags(cell: str) -> list[str]:
    return [tag for tag in re.split(r"[,;|]", cell) if tag.strip()]


def _cell_of_json(cell: str) -> Any:
    import json  # noqa: PLC0415

    try:
        return json.loads(cell)
    except ValueError:
        return cell


_PROFILE: Final[dict[str, Callable[[Any], Any]]] = {
    "first_name": _text, "last_name": _text, "username": _username, "language_code": fit_language, "is_premium": _truth,
}  # fmt: skip
_NOTES: Final[dict[str, Callable[[Any], Any]]] = {"language": fit_language, "tags": _tags, "attributes": _attributes}
_TIMES: Final[dict[str, Callable[[Any], Any]]] = {"first_seen": _time, "last_seen": _time}
_OF_CHATS: Final = {"id", "chat_id", "chat_data", "conversations", "blocked", "updated_at", "type", "title"}
_OF_PEOPLE: Final = {
    "id", "user_id", "chat_id", "chat_data", "user_data", "conversations", "blocked", "updated_at", "is_bot", "type",
    *_PROFILE, *_NOTES, *_TIMES,
}  # fmt: skip
_COLUMNS: Final = {
    "id": "user_id", "userid": "user_id", "telegram_id": "user_id", "tg_id": "user_id", "chat_id": "user_id",
    "name": "first_name", "firstname": "first_name", "lastname": "last_name", "user_name": "username",
    "premium": "is_premium", "lang": "language_code",
}  # fmt: skip
_TEXTS: Final[dict[str, Callable[[str], Any]]] = {
    **dict.fromkeys(
        ("user_id", "first_name", "last_name", "username", "language_code", "is_premium", "language", "first_seen",
         "last_seen"), str,
    ),
    "tags": _cell_of_tags, "attributes": _cell_of_json,
    "blocked": lambda cell: cell.strip().lower() in ("true", "yes", "1") or (cell if "-" in cell else None),
}  # fmt: skip
