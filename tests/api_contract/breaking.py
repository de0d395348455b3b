"""What of an API description breaks programs that were written for an earlier one.

A change breaks if a request that was right is now refused, or if an answer no longer holds what it held. So it
depends on the direction: requests may be asked for less, answers may say more.
"""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_LOWEST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_HIGHEST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")


def breaks(old: Json, new: Json) -> list[str]:
    """Each break between two descriptions, as a sentence that names the place."""
    found = []
    for path, operations in old["paths"].items():
        for method in [name for name in _METHODS if name in operations]:
            place = f"{method.upper()} {path}"
            there = new["paths"].get(path, {}).get(method)
            if there is None:
                found.append(f"{place} is gone")
            else:
                found += [f"{place}: {said}" for said in _Change(old, new).of_operation(operations[method], there)]
    return found


class _Change:
    """From one description to another."""

    def __init__(self, old: Json, new: Json) -> None:
        self._old = old
        self._new = new
        self._seen: set[tuple[str, str, bool]] = set()

    def of_operation(self, old: Json, new: Json) -> Iterator[str]:
        yield from self._rights(old, new)
        yield from self._parameters(old, new)
        yield from self._body(old, new)
        yield from self._responses(old, new)

    def _rights(self, old: Json, new: Json) -> Iterator[str]:
        if not old.get("security") and new.get("security"):
            yield "needs a token now"
        was, now = old.get("x-needs") or {}, new.get("x-needs") or {}
        if was.get("scope") != now.get("scope") and now.get("scope") is not None:
            yield f"needs the scope {now['scope']} now"
        ranks = ["nobody", "signed in", "viewer", "operator", "manager", "owner", "superadmin"]
        if was and now and ranks.index(now["who"]) > ranks.index(was["who"]):
            yield f"needs {now['who']} now, and needed {was['who']}"

    def _parameters(self, old: Json, new: Json) -> Iterator[str]:
        was = {_name(one): one for one in old.get("parameters", [])}
        now = {_name(one): one for one in new.get("parameters", [])}
        for name, one in was.items():
            if name not in now:
                yield f"the parameter {name} is gone"
            else:
                yield from self._schema(one["schema"], now[name]["schema"], name, given=True)
        for name, one in now.items():
            if one.get("required") and not was.get(name, {}).get("required"):
                yield f"the parameter {name} is needed now"

    def _body(self, old: Json, new: Json) -> Iterator[str]:
        was, now = old.get("requestBody"), new.get("requestBody")
        if was is None:
            if now is not None and now.get("required"):
                yield "a body is needed now"
            return
        if now is None:
            yield "takes no body any more"
            return
        if now.get("required") and not was.get("required"):
            yield "the body is needed now"
        yield from self._contents(was["content"], now["content"], "body", given=True)

    def _responses(self, old: Json, new: Json) -> Iterator[str]:
        for status, response in old["responses"].items():
            if not status.startswith("2"):
                continue
            there = new["responses"].get(status)
            if there is None:
                yield f"never answers {status} any more"
                continue
            for header in response.get("headers", {}):
                if header not in there.get("headers", {}):
                    yield f"the header {header} of {status} is gone"
            yield from self._contents(response.get("content", {}), there.get("content", {}), status, given=False)

    def _contents(self, old: Json, new: Json, place: str, *, given: bool) -> Iterator[str]:
        for kind, content in old.items():
            if kind not in new:
                yield f"{place}: {kind} is gone"
            else:
                yield from self._schema(content.get("schema", {}), new[kind].get("schema", {}), place, given=given)

    def _schema(self, old: Json, new: Json, place: str, *, given: bool) -> Iterator[str]:
        seen = (old.get("$ref", ""), new.get("$ref", ""), given)
        if seen[0] and seen in self._seen:
            return
        self._seen.add(seen)
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        yield from self._kinds(old, new, place, given=given)
        yield from self._choices(old, new, place, given=given)
        if given:
            yield from _bounds(old, new, place)
        yield from self._fields(old, new, place, given=given)
        for inner in ("items", "additionalProperties"):
            if isinstance(old.get(inner), dict) and isinstance(new.get(inner), dict):
                yield from self._schema(old[inner], new[inner], f"{place}[]", given=given)

    def _kinds(self, old: Json, new: Json, place: str, *, given: bool) -> Iterator[str]:
        """Types, of several choices too. What is taken may grow, what is answered may shrink."""
        was, now = _variants(self._old, old), _variants(self._new, new)
        if given and now and not was:
            yield f"{place} takes only {', '.join(sorted(now))} now"
        if not given and was and not now:
            yield f"{place} may be anything now"
        lacking = (was.keys() - now.keys() if given else now.keys() - was.keys()) if was and now else set()
        for kind in sorted(lacking):
            yield f"{place} takes no {kind} any more" if given else f"{place} may be {kind} now"
        for kind in sorted(was.keys() & now.keys()):
            if was[kind] is not old or now[kind] is not new:
                yield from self._schema(was[kind], now[kind], place, given=given)

    def _choices(self, old: Json, new: Json, place: str, *, given: bool) -> Iterator[str]:
        was, now = _enum(old), _enum(new)
        if was is None and now is not None and given:
            yield f"{place} takes only {', '.join(now)} now"
        if was is not None and now is None and not given:
            yield f"{place} may be anything now"
        if was is None or now is None:
            return
        for value in sorted(set(was) - set(now)):
            # Who compares with a value that an answer never has any more waits for it in vain.
            yield f"{place} has no {value} any more"

    def _fields(self, old: Json, new: Json, place: str, *, given: bool) -> Iterator[str]:
        was, now = old.get("properties", {}), new.get("properties", {})
        for name, field in was.items():
            inner = f"{place}.{name}"
            if name not in now:
                yield f"{inner} is gone"
            else:
                yield from self._schema(field, now[name], inner, given=given)
        before, after = set(old.get("required", [])), set(new.get("required", []))
        if given:
            yield from (f"{place}.{name} is needed now" for name in sorted(after - before))
        else:
            yield from (f"{place}.{name} may be missing now" for name in sorted((before - after) & now.keys()))
        if given and old.get("additionalProperties", True) is not False and new.get("additionalProperties") is False:
            yield f"{place} refuses fields that are not named now"


def _bounds(old: Json, new: Json, place: str) -> Iterator[str]:
    """What of what somebody sends is refused that was not."""
    for name in (*_LOWEST, *_HIGHEST):
        was, now = old.get(name), new.get(name)
        if now is not None and (was is None or (now > was if name in _LOWEST else now < was)):
            yield f"{place}: {name} is {now} now, and was {'none' if was is None else was}"
    if "pattern" in new and new["pattern"] != old.get("pattern"):
        yield f"{place}: its pattern is {new['pattern']} now"
    if "format" in new and new["format"] != old.get("format"):
        yield f"{place}: its format is {new['format']} now"


def _variants(description: Json, schema: Json) -> dict[str, Json]:
    """What a value may be, by its type; an object by its title, for there may be several."""
    found: dict[str, Json] = {}
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        for choice in choices:
            for kind, one in _variants(description, _resolved(description, choice)).items():
                found.setdefault(kind, one)
        return found
    kinds = schema.get("type", [])
    for kind in [kinds] if isinstance(kinds, str) else kinds:
        found[kind] = schema
    if found.keys() == {"number"}:
        found["integer"] = schema
    return found


def _enum(schema: Json) -> list[str] | None:
    if "const" in schema:
        return [str(schema["const"])]
    return [str(value) for value in schema["enum"]] if "enum" in schema else None


def _resolved(description: Json, schema: Json) -> Json:
    while "$ref" in schema:
        there: Any = description
        for part in schema["$ref"].removeprefix("#/").split("/"):
            there = there[part]
        schema = there
    if len(schema.get("allOf", [])) == 1:
        return _resolved(description, schema["allOf"][0])
    return schema


def _name(parameter: Json) -> str:
    return f"{parameter['name']} ({parameter['in']})"
