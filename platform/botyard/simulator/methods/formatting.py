"""Formatted texts that stand beside the text of a message: questions, options, explanations."""

from botyard.simulator.entities import Entity, find_commands, parse
from botyard.simulator.methods.texts import check_entity
from botyard.simulator.params import Params


def formatted(params: Params, name: str, *, prefix: str | None = None) -> tuple[str, list[Entity]]:
    """Return a text and its entities.

    Args:
        params: where they stand.
        name: the text's parameter.
        prefix: begins the names of ``parse_mode`` and ``entities``; by default the text's name and an underscore.
    """
    prefix = f"{name}_" if prefix is None else prefix
    text = params.text(name)
    given = params.items(f"{prefix}entities")
    if given is None or params.text(f"{prefix}parse_mode"):
        return parse(text, params.text(f"{prefix}parse_mode"))
    return text, [check_entity(entity) for entity in given] or find_commands(text)
