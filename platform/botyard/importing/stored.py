"""Memory as an export has written it, with its types: looked through before it is taken.

Whoever can run `botyard import` may bring objects of the bot's own classes. Over the API only values of Python's own
and of Telegram's types are taken: no names of code, no patterns.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from botyard.importing.foreign import Global
from botyard.importing.report import Report
from botyard.importing.settling import DEEP, telegram_class
from botyard.state.codec import FORMAT, TAG
from botyard.state.values import BY_TAG

_DEEPEST: Final = 250
_SENT: Final = "sent"
_PARTS: Final = frozenset({"data", "talks", FORMAT})
_FRACTION: Final = re.compile(r"-?\d{1,4000}(/\d{1,4000})?")
_PLAIN: Final = frozenset(BY_TAG) - {"named", "as", "pattern", "member"}
_FACTORIES: Final = frozenset(
    f"builtins:{name}" for name in ("bool", "dict", "float", "int", "list", "set", "str", "tuple")
)
_FORM: Final = "memory in another form than an export has"
_CODE: Final = "a value of the type {tag}: these are taken by `botyard import` on the command line only"


class _Left(Exception):
    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def fit_state(state: Any, path: str, report: Report, *, trusted: bool) -> bytes | None:
    """A row's state as it is to be written; nothing if nothing of it can be.

    Args:
        state: what an export says of it.
        path: where it stands.
        report: is told what is left out.
        trusted: whether objects of classes are taken.
    """
    if not isinstance(state, dict) or state.keys() - _PARTS or not _are_talks(state.get("talks", {})):
        report.skip(_FORM, path)
        return None
    if FORMAT in state:
        if state[FORMAT] != 1:
            report.skip("memory of a newer Botyard", path)
            return None
        try:
            state = {FORMAT: 1, **_Walk(report, trusted=trusted).mapping(state, path, 0)}
        except _Left as left:
            report.skip(left.why, path)
            return None
    kept = {name: state[name] for name in ("data", "talks", FORMAT) if name in state}
    try:
        return orjson.dumps(kept) if kept.keys() - {FORMAT} else None
    except TypeError:
        # Numbers and texts that Botyard itself writes in another way.
        report.skip(_FORM, path)
        return None


def _are_talks(talks: Any) -> bool:
    return isinstance(talks, dict) and all(
        isinstance(states, list)
        and all(isinstance(one, list) and len(one) == 2 and isinstance(one[0], list) for one in states)
        for states in talks.values()
    )


class _Walk:
    def __init__(self, report: Report, *, trusted: bool) -> None:
        self._report, self._trusted = report, trusted

    def mapping(self, value: Mapping[str, Any], path: str, depth: int) -> dict[str, Any]:
        kept = {}
        for key, item in value.items():
            try:
                kept[key] = self.value(item, f"{path}.{key}", depth + 1)
            except _Left as left:
                self._report.skip(left.why, f"{path}.{key}")
        return kept

    def value(self, value: Any, path: str, depth: int) -> Any:
        if depth > _DEEPEST:
            raise _Left(DEEP)
        if isinstance(value, dict):
            return self._tagged(value, path, depth) if TAG in value else self.mapping(value, path, depth)
        if isinstance(value, list):
            return [self._element(item, f"{path}[{index}]", depth) for index, item in enumerate(value)]
        return value

    def _element(self, item: Any, path: str, depth: int) -> Any:
        try:
            return self.value(item, path, depth + 1)
        except _Left as left:
            self._report.skip(left.why, path)
            return None

    def _tagged(self, value: dict[str, Any], path: str, depth: int) -> Any:
        tag = value[TAG]
        if tag == _SENT:
            # The messages of another bot, or of earlier: nobody knows their ids here.
            return value.get("of")
        if not isinstance(tag, str) or not (self._trusted or _is_harmless(tag, value)):
            raise _Left(_CODE.format(tag=tag if isinstance(tag, str) else "?"))
        if not self._trusted and tag == "defaultdict":
            return {**self.mapping({"of": value.get("of", [])}, path, depth), TAG: tag, "factory": value.get("factory")}
        return {TAG: tag, **self.mapping({name: one for name, one in value.items() if name != TAG}, path, depth)}


def _is_harmless(tag: str, value: Mapping[str, Any]) -> bool:
    if tag == "Fraction":
        return isinstance(value.get("of"), str) and _FRACTION.fullmatch(value["of"]) is not None
    if tag == "defaultdict":
        factory = value.get("factory")
        return factory is None or (
            isinstance(factory, dict) and factory.get(TAG) == "named" and factory.get("of") in _FACTORIES
        )
    if tag.startswith("telegram:"):
        return telegram_class(Global("telegram", tag.removeprefix("telegram:"))) is not None
    return tag in _PLAIN
