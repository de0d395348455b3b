"""What a kind of bot wants to be given beside its application, and what a bot gives it. See docs/configuration.md.

A kind says it by the names of its parameters: ``settings`` (its annotation is their schema), ``features``, ``secrets``.
"""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, Final, get_type_hints

from pydantic import TypeAdapter, ValidationError

from botyard.errors import InputError
from botyard.telegram.kind_errors import unusable

_GIVEN: Final = ("settings", "features", "secrets")
_SHORTEST_SECRET: Final = 4
"""What is shorter would be masked in half of all words."""
_SWITCHES: Final = {"on": True, "yes": True, "off": False, "no": False}
_TROUBLES: Final = {
    "missing": "is missing.",
    "unexpected_keyword_argument": "is not known here.",
    "extra_forbidden": "is not known here.",
}


class SettingsMisfit(InputError):
    """A bot's settings are not what its kind takes; the field is named, as in ``settings.greeting``."""


class Unopened(Mapping[str, str]):
    """Secrets where a kind is only looked at: there is one of each name, and none is told."""

    def __getitem__(self, name: str) -> str:
        return f"not-opened-{name}"

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Given:
    """What a bot's configuration gives to its kind.

    Args:
        settings: as they are kept, still unchecked.
        features: which are on, and which are off.
        secrets: opens the bot's secrets for other services; called only for a kind that wants them.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    features: Mapping[str, bool] = field(default_factory=dict)
    secrets: Callable[[], Mapping[str, str]] = field(default=Unopened, repr=False)


@dataclass(frozen=True, slots=True)
class KindShape:
    """What a kind wants to be given.

    Args:
        kind: its name.
        adapter: checks settings, and makes of them what the kind takes; none: it takes none.
        wants: which of ``settings``, ``features``, ``secrets`` it takes.
        remedy: what else to do where it takes no settings.
    """

    kind: str
    adapter: TypeAdapter[Any] | None = None
    wants: Sequence[str] = ()
    remedy: str = "Give its function a parameter `settings`."

    def read(self, settings: Mapping[str, Any]) -> Any:
        """The settings as the kind takes them; those that are not given have their defaults.

        Raises:
            SettingsMisfit: one of them is wrong, unknown or missing.
            InputError: the kind's own checks break.
        """
        if self.adapter is None:
            if settings:
                problem = f"are given, and the kind {self.kind} takes none."
                raise SettingsMisfit("settings", problem, self.remedy)
            return None
        try:
            return self.adapter.validate_python(dict(settings), extra="forbid")
        except ValidationError as error:
            name, problem = first_trouble(error)
            remedy = "`botyard bot schema BOT` shows what its kind takes."
            raise SettingsMisfit(".".join(filter(None, ("settings", name))), problem, remedy) from None
        except Exception as error:
            raise unusable(f"{self.kind} cannot check its settings", error) from error

    def read_text(self, path: Sequence[str], text: str) -> Any:
        """What somebody means who writes this text for a setting: a number where it takes numbers, else the text.

        Args:
            path: its name, and where it has parts, theirs.
            text: as it was written.
        """
        readings = _readings(text)
        for reading in readings:
            if self._fits(path, reading):
                return reading
        # What is no JSON of the right type may still be read by its type, as a date is.
        return text

    def _fits(self, path: Sequence[str], value: Any) -> bool:
        if self.adapter is None:
            return False
        whole = value
        for part in reversed(path):
            whole = {part: whole}
        try:
            self.adapter.validate_json(json.dumps(whole), strict=True, extra="forbid")
        except ValidationError as error:
            return not any(tuple(map(str, one["loc"][: len(path)])) == tuple(path) for one in error.errors())
        except Exception:  # noqa: BLE001 - the kind's own check has broken on it: `read` says so with its place
            return False
        return True

    def schema(self) -> dict[str, Any]:
        """The JSON schema of the settings, with their defaults.

        Raises:
            InputError: a type of the kind has no JSON schema.
        """
        if self.adapter is None:
            return {"type": "object", "properties": {}, "additionalProperties": False}
        try:
            return self.adapter.json_schema()
        except Exception as error:
            raise unusable(f"{self.kind} has settings without a JSON schema", error) from error


def _readings(text: str) -> list[Any]:
    """What a text may mean, the most particular first. In quotes it is a text like any other, but for the empty one."""
    found: list[Any] = []
    try:
        value = json.loads(text, parse_constant=_refuse)
        found += [value] if value == "" or not isinstance(value, str) else []
    except (ValueError, RecursionError):
        found += [_SWITCHES[text.lower()]] if text.lower() in _SWITCHES else []
    return [*found, text]


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def first_trouble(error: ValidationError) -> tuple[str, str]:
    """The name of the first thing that is wrong, its parts joined by dots, and what is wrong; no value is repeated."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    words = f"{first['msg'][:1].lower()}{first['msg'][1:].rstrip('.')}."
    return ".".join(map(str, first["loc"])), _TROUBLES.get(first["type"], words)


def shape_of(name: str, kind: Callable[..., None]) -> KindShape:
    """What a kind wants to be given, by the names of its parameters.

    Args:
        name: of the kind.
        kind: the function.

    Raises:
        InputError: a parameter has another name and no default, or its settings' type cannot be a schema.
    """
    try:
        parameters = list(inspect.signature(kind).parameters.values())[1:]
    except (TypeError, ValueError):
        return KindShape(name)
    for one in parameters:
        variable = one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
        if one.name not in _GIVEN and one.default is one.empty and not variable:
            problem = f"{name} has a parameter {one.name}, and nothing is called so."
            raise InputError("kind", problem, f"It may take {', '.join(_GIVEN)}.")
    taken = [
        one for one in parameters if one.name in _GIVEN and one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    ]
    adapter = next((_adapter(name, kind, one.annotation) for one in taken if one.name == "settings"), None)
    return KindShape(name, adapter, [one.name for one in taken])


def _adapter(name: str, kind: Callable[..., None], annotation: Any) -> TypeAdapter[Any]:
    if annotation is inspect.Parameter.empty:
        annotation = dict[str, Any]
    try:
        if isinstance(annotation, str):
            # This one alone: others may name what is imported for type checkers only.
            alone: Any = SimpleNamespace(__annotations__={"settings": annotation})
            annotation = get_type_hints(alone, getattr(inspect.unwrap(kind), "__globals__", {}), include_extras=True)[
                "settings"
            ]
        return TypeAdapter(annotation)
    except Exception as error:
        raise unusable(f"{name} has settings of a type that is no schema", error) from error


def arguments(shape: KindShape, given: Given) -> dict[str, Any]:
    """What the kind is called with, beside its application.

    Raises:
        SettingsMisfit: the bot's settings are not what it takes.
        InputError: a secret cannot be opened.
    """
    settings = shape.read(given.settings)
    found: dict[str, Any] = {}
    if "settings" in shape.wants:
        found["settings"] = settings
    if "features" in shape.wants:
        found["features"] = given.features
    if "secrets" in shape.wants:
        found["secrets"] = given.secrets()
    return found


def masked(error: InputError, found: Mapping[str, Any]) -> InputError:
    """The same error without the secrets that the kind was given: libraries like to repeat a key that they refuse.

    Args:
        error: what is to be said.
        found: what `arguments` has returned.
    """
    problem = error.problem
    pieces = {piece for secret in found.get("secrets", {}).values() for piece in _pieces(secret)}
    for piece in sorted(pieces, key=len, reverse=True):
        problem = problem.replace(piece, "***")
    return InputError(error.field, problem, error.remedy)


def _pieces(secret: str) -> Iterator[str]:
    """What may be said of a secret: all of it, or one line without its ends, as it is or as Python writes it."""
    for line in (secret, *secret.splitlines()):
        for piece in (line, line.strip(), line.strip().rstrip("."), repr(line.strip())[1:-1]):
            if len(piece) >= _SHORTEST_SECRET:
                yield piece
