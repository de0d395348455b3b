"""Reading texts and captions with their formatting."""

from botyard.simulator.entities import find_commands, parse, units
from botyard.simulator.errors import bad_request
from botyard.simulator.model import Json
from botyard.simulator.params import Params

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
"""Characters after the formatting is taken out."""


def read_text(params: Params) -> Json:
    """Return ``text`` and its ``entities``.

    Raises:
        ApiError: the text is empty or longer than :data:`TEXT_LIMIT`, or its formatting is broken.
    """
    content = _formatted(params, "text", "entities")
    if not content["text"].strip():
        raise bad_request("message text is empty")
    if len(content["text"]) > TEXT_LIMIT:
        raise bad_request("message is too long")
    return content


def read_caption(params: Params) -> Json:
    """Return ``caption`` with its ``caption_entities``; nothing when there is none.

    Raises:
        ApiError: the caption is longer than :data:`CAPTION_LIMIT`, or its formatting is broken.
    """
    if not params.has("caption"):
        return {}
    content = _formatted(params, "caption", "caption_entities")
    if not content["caption"].strip():
        return {}
    if len(content["caption"]) > CAPTION_LIMIT:
        raise bad_request("message caption is too long")
    if params.flag("show_caption_above_media"):
        content["show_caption_above_media"] = True
    return content


def _formatted(params: Params, text_name: str, entities_name: str) -> Json:
    raw = params.text(text_name)
    entities = params.items(entities_name)
    if entities is None or params.text("parse_mode"):
        text, entities = parse(raw, params.text("parse_mode"))
    else:
        text = raw
        entities = [check_entity(entity) for entity in entities] or find_commands(text)
    if text != text.strip():
        text, entities = _trimmed(text, entities)
    content: Json = {text_name: text}
    if entities:
        content[entities_name] = entities
    return content


def _trimmed(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """Return a text without the blanks around it, as Telegram keeps it, and the entities in what is left."""
    kept = text.strip()
    skipped, length = units(text[: len(text) - len(text.lstrip())]), units(kept)
    moved = []
    for entity in entities:
        start = max(entity["offset"] - skipped, 0)
        end = min(entity["offset"] + entity["length"] - skipped, length)
        if start < end:
            moved.append(entity | {"offset": start, "length": end - start})
    return kept, moved


def check_entity(entity: object) -> Json:
    """Return a ``MessageEntity`` of a bot.

    Raises:
        ApiError: it is none.
    """
    if not isinstance(entity, dict) or not isinstance(entity.get("type"), str):
        raise bad_request("can't parse MessageEntity: expected an Object")
    for name in ("offset", "length"):
        if not isinstance(entity.get(name), int):
            raise bad_request(f'can\'t parse MessageEntity: Field "{name}" must be of type Number')
    return entity
