"""What a bot offers for a person to send: results of inline queries (``InlineQueryResult``) and their messages."""

from typing import Any

from botyard.simulator import schema
from botyard.simulator.errors import ApiError, bad_request
from botyard.simulator.methods.call import Call
from botyard.simulator.methods.formatting import formatted
from botyard.simulator.methods.invoices import new_invoice, with_pay_button
from botyard.simulator.methods.markup import read_inline_markup
from botyard.simulator.methods.media import read_one
from botyard.simulator.methods.places import read_location, read_movement
from botyard.simulator.model import Json
from botyard.simulator.params import Params

TEXT_LIMIT = 4096
ID_LIMIT = 64
"""Bytes of a result's id."""
MOST_RESULTS = 50
FILES = {
    "photo": "photo",
    "gif": "gif",
    "mpeg4_gif": "mpeg4",
    "video": "video",
    "audio": "audio",
    "voice": "voice",
    "document": "document",
    "sticker": "sticker",
}
"""Types that consist of a file, and how the names of its fields begin."""
PLAIN = frozenset({"article", "location", "venue", "contact", "game"})
SHOWN = ("title", "description", "url", "thumbnail_url", "caption", "phone_number", "first_name", "address")
"""What a list of results shows of each."""
VENUE = ("title", "address", "foursquare_id", "foursquare_type", "google_place_id", "google_place_type")
CONTACT = ("phone_number", "first_name", "last_name", "vcard")
UNASKED = frozenset({"thumbnail_url", "input_message_content"})
"""Required by the description, and not by the server or only in another form."""
TYPES: dict[str, type | tuple[type, ...]] = {"String": str, "Float": (int, float), "Integer": int}
WORDS = {"String": "String", "Float": "Number", "Integer": "Number"}


def read_results(call: Call) -> list[Json]:
    """Return ``results``, each as :func:`read_result` has it."""
    given = call.params.items("results") or []
    if len(given) > MOST_RESULTS:
        raise bad_request("too many inline query results specified")
    results: list[Json] = []
    for value in given:
        try:
            results.append(_read(call, value))
        except ApiError as refusal:
            words = _words(refusal)
            # The server's own names of mistakes are given as they are.
            raise refusal if words.isupper() else bad_request(f"can't parse inline query result: {words}") from None
    if len({result["id"] for result in results}) < len(results):
        raise bad_request("RESULT_ID_DUPLICATE")
    return results


def read_result(call: Call) -> Json:
    """Return ``result``, checked.

    Returns:
        ``id``, ``type``, ``shown`` (what a list of results shows), and the message it becomes: ``content``,
        ``markup``, ``invoice_id`` and ``game``.
    """
    value = call.params.dictionary("result")
    if value is None:
        raise bad_request("result isn't specified")
    try:
        return _read(call, value)
    except ApiError as refusal:
        words = _words(refusal)
        raise refusal if words.isupper() else bad_request(words[0].lower() + words[1:]) from None


def _words(refusal: ApiError) -> str:
    return refusal.description.removeprefix("Bad Request: ")


def _read(call: Call, value: Any) -> Json:
    if not isinstance(value, dict):
        raise bad_request("Inline query result must be an object")
    kind = str(_field(value, "type", "String")).lower()
    result_id = str(_field(value, "id", "String"))
    if kind not in FILES and kind not in PLAIN:
        raise bad_request(f'type "{kind}" is unsupported for the inline query result')
    result: Json = {"id": result_id, "type": kind, "invoice_id": "", "game": ""}
    result["markup"] = read_inline_markup(Params(value))
    content = value.get("input_message_content")
    if isinstance(content, dict):
        result["content"] = _message(call, content, result)
    elif kind == "article":
        # The server still looks for the field that was there before all other contents.
        _field(value, "message_text", "String")
        result["content"] = _message(call, value, result)
    _require_fields(kind, value)
    if "content" not in result:
        result["content"] = _own_content(call, kind, value, result)
    if not 0 < len(result_id.encode()) <= ID_LIMIT:
        raise bad_request("RESULT_ID_INVALID")
    result["shown"] = {name: value[name] for name in SHOWN if isinstance(value.get(name), str)}
    return result


def _require_fields(kind: str, value: Json) -> None:
    """Refuse a result without what its type needs; a file may be named by its id instead of an address."""
    cached = kind in FILES and f"{FILES[kind]}_file_id" in value
    name = "".join(part.capitalize() for part in kind.split("_"))
    cached = cached or kind == "sticker"
    for field, entry in schema.types()[f"InlineQueryResult{'Cached' if cached else ''}{name}"].items():
        if len(entry) > 1 and (entry[0] in TYPES or field not in value) and field not in UNASKED:
            _field(value, field, entry[0])


def _field(value: Json, name: str, words: str) -> object:
    found = value.get(name)
    if found is None:
        raise bad_request(f'Can\'t find field "{name}"')
    wanted = TYPES.get(words)
    if wanted and (not isinstance(found, wanted) or isinstance(found, bool)):
        raise bad_request(f'Field "{name}" must be of type {WORDS[words]}')
    return found


def _own_content(call: Call, kind: str, value: Json, result: Json) -> Json:
    """Return the message that a result becomes when it brings no other."""
    if kind == "game":
        result["game"] = str(value["game_short_name"])
        game = call.bot.games.get(result["game"])
        if game is None:
            raise bad_request("GAME_SHORTNAME_INVALID")
        result["markup"] = result["markup"] or game.keyboard()
        return {"game": game.show()}
    if kind in FILES:
        return _file(call, kind, value)
    return _place_or_contact(value)


def _message(call: Call, content: Json, result: Json) -> Json:
    """Return the message that ``input_message_content`` stands for, found by its fields as Telegram does."""
    if content.get("message_text"):
        text, entities = formatted(Params(content), "message_text", prefix="")
        if not text.strip():
            raise bad_request("MESSAGE_EMPTY")
        if len(text) > TEXT_LIMIT:
            raise bad_request("MESSAGE_TOO_LONG")
        return {"text": text, "entities": entities} if entities else {"text": text}
    if "latitude" in content or "phone_number" in content:
        return _place_or_contact(content)
    if "payload" in content:
        invoice = new_invoice(call, Params(content))
        result["invoice_id"] = invoice.id
        result["markup"] = with_pay_button(invoice, result["markup"])
        return {"invoice": invoice.shown}
    raise bad_request("Input message content is not specified")


def _place_or_contact(value: Json) -> Json:
    if "phone_number" in value:
        _field(value, "first_name", "String")
        return {"contact": _chosen(value, CONTACT)}
    for name in ("latitude", "longitude"):
        _field(value, name, "Float")
    spot = read_location(Params(value))
    if "title" in value and "address" in value:
        return {"location": spot, "venue": {"location": spot} | _chosen(value, VENUE)}
    if value.get("live_period"):
        spot |= {"live_period": value["live_period"]} | read_movement(Params(value))
    return {"location": spot}


def _file(call: Call, kind: str, value: Json) -> Json:
    """Return the message with the file of a result. Its measures have the type before their names."""
    start = FILES[kind]
    source = value | {name.removeprefix(f"{start}_"): inner for name, inner in value.items()}
    named = value.get(f"{start}_file_id") or value[f"{start}_url"]
    return read_one(call, "animation" if kind in {"gif", "mpeg4_gif"} else kind, named, Params(source))


def _chosen(value: Json, names: tuple[str, ...]) -> Json:
    return {name: value[name] for name in names if value.get(name) not in (None, "")}
