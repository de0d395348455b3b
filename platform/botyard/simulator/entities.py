"""Formatting: HTML, MarkdownV2 and Markdown to text with entities, and the commands in a plain text."""

import re
from collections.abc import Callable, Sequence

from botyard.simulator.errors import bad_request
from botyard.simulator.html_style import parse_html
from botyard.simulator.markdown_style import parse_markdown_v2, parse_old_markdown
from botyard.simulator.marks import Entity, units
from botyard.simulator.model import Json

__all__ = ["Entity", "find_commands", "name_mentions", "parse", "units"]

COMMAND = re.compile(r"(?<![\w/<>@])/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?(?![\w/])", re.ASCII)
STYLES = {"html": parse_html, "markdownv2": parse_markdown_v2, "markdown": parse_old_markdown}
UNSEARCHED = frozenset({"code", "pre", "text_link", "text_mention"})
"""Entities in which no command is looked for."""


def find_commands(text: str) -> list[Entity]:
    """Return a ``bot_command`` entity for each command in a plain text."""
    if "/" not in text:
        return []
    return [
        {"type": "bot_command", "offset": units(text[: found.start()]), "length": units(found[0])}
        for found in COMMAND.finditer(text)
    ]


def parse(text: str, parse_mode: str) -> tuple[str, list[Entity]]:
    """Return the visible text and its entities. A mention of a person has no more than their id yet.

    Args:
        text: what the bot sent.
        parse_mode: ``HTML``, ``MarkdownV2``, ``Markdown`` (any case) or nothing.

    Raises:
        ApiError: with Telegram's words, when the marks do not match.
    """
    mode = parse_mode.lower()
    if not mode or mode == "none":
        return text, find_commands(text)
    style = STYLES.get(mode)
    if style is None:
        raise bad_request("unsupported parse_mode")
    plain, entities = style(text)
    commands = [found for found in find_commands(plain) if not _inside_literal(found, entities)]
    return plain, _ordered(entities + commands)


def name_mentions(content: Json, card: Callable[[int], Json | None]) -> None:
    """Complete the mentions in a message's content; those of nobody become plain text.

    Args:
        content: the content, which is changed.
        card: returns a person or bot as a Telegram ``User``, if there is one.
    """
    for name in ("entities", "caption_entities"):
        if any(entity["type"] == "text_mention" for entity in content.get(name, ())):
            named = [_named(entity, card) for entity in content.pop(name)]
            left = [entity for entity in named if entity]
            if left:
                content[name] = left


def _named(entity: Entity, card: Callable[[int], Json | None]) -> Entity | None:
    if entity["type"] != "text_mention":
        return entity
    user = entity.get("user")
    user_id = user.get("id") if isinstance(user, dict) else None
    shown = card(user_id) if isinstance(user_id, int) else None
    return entity | {"user": shown} if shown else None


def _inside_literal(found: Entity, entities: Sequence[Entity]) -> bool:
    """Tell whether code or a link already covers the place of a command."""
    return any(
        entity["offset"] <= found["offset"] < entity["offset"] + entity["length"]
        for entity in entities
        if entity["type"] in UNSEARCHED
    )


def _ordered(entities: Sequence[Entity]) -> list[Entity]:
    """Return entities in Telegram's order: by place, the longer first."""
    return sorted(entities, key=lambda entity: (entity["offset"], -entity["length"]))
