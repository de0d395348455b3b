"""Every command says what it does, in its help and on its page."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from typer.core import TyperCommand, TyperGroup

from botyard.cli import app

PAGE = (Path(__file__).parents[2] / "docs/commands.md").read_text(encoding="utf-8")


def commands(group: TyperGroup, path: tuple[str, ...] = ()) -> Iterator[tuple[str, TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, (*path, name))
        elif isinstance(command, TyperCommand) and not command.hidden:
            yield " ".join((*path, name)), command


def root() -> TyperGroup:
    found = typer.main.get_command(app)
    assert isinstance(found, TyperGroup)
    return found


ALL = dict(commands(root()))


def test_the_commands_are_found() -> None:
    assert {"run", "bot why", "dead replay", "doctor", "logs"} <= set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_a_help_text_and_stands_on_the_page(name: str) -> None:
    assert ALL[name].help
    assert re.search(rf"`botyard {name}\b", PAGE), f"docs/commands.md does not know {name}"


@pytest.mark.parametrize("name", ALL)
def test_every_option_has_a_help_text_and_the_page_names_it(name: str) -> None:
    for parameter in ALL[name].params:
        assert getattr(parameter, "help", None), parameter.name
        for option in parameter.opts:
            assert not option.startswith("--") or f"`{option}" in PAGE, option


@pytest.mark.parametrize("name", ALL)
def test_whatever_shows_something_can_show_it_as_json(name: str) -> None:
    processes = {"run", "migrate", "poller", "flower", "keys generate", "erase", "test-bot"}
    options = {option for parameter in ALL[name].params for option in parameter.opts}
    assert ("--json" in options) != (name in processes)
