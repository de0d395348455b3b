"""Callbacks by names under which every process finds them."""

import functools
from types import ModuleType
from typing import Any

import pytest

from botyard.errors import InputError
from botyard.jobs.callbacks import find, name_of


async def top_level(_: Any) -> None:
    """A callback as it should be."""


def _decorate(function: Any) -> Any:
    @functools.wraps(function)
    async def inside(context: Any) -> Any:
        return await function(context)

    return inside


@_decorate
async def decorated(_: Any) -> None:
    """Found by the name of what it wraps."""


class Methods:
    async def bound(self, _: Any) -> None:
        """Needs its object."""

    @classmethod
    async def of_class(cls, _: Any) -> None:
        """Needs none."""

    async def __call__(self, _: Any) -> None:
        """An object that can be called."""


OBJECT = Methods()


@pytest.mark.parametrize("callback", [top_level, decorated, Methods.of_class])
def test_what_stands_at_the_top_level_is_found_again(callback: Any) -> None:
    name = name_of(callback, {})
    assert name.startswith(f"{__name__}:")
    assert find(name, {}) == callback


def _closure() -> Any:
    async def inner(_: Any) -> None:
        """Only its maker finds it."""

    return inner


@pytest.mark.parametrize(
    ("callback", "called"),
    [
        (_closure(), "_closure.<locals>.inner"),
        (lambda _: None, "<lambda>"),
        (OBJECT.bound, "Methods.bound"),
        (OBJECT, "Methods"),
        (functools.partial(top_level, 1), "partial"),
    ],
)
def test_what_nobody_else_could_find_is_refused_with_its_name_and_the_remedy(callback: Any, called: str) -> None:
    with pytest.raises(InputError, match="top level of its module") as refused:
        name_of(callback, {})
    assert called in str(refused.value)


def test_a_script_that_is_loaded_under_a_fresh_name_each_time_keeps_its_own() -> None:
    scripts = []
    for number in (1, 2):
        script = ModuleType(f"fresh_{number}")
        exec("async def alarm(context): ...", script.__dict__)  # noqa: S102 - as scripts are loaded
        scripts.append(script)
    name = name_of(scripts[0].alarm, {"shop": scripts[0]})
    assert name == "shop:alarm"
    assert find(name, {"shop": scripts[1]}) is scripts[1].alarm


def test_a_callback_that_is_gone_is_named() -> None:
    with pytest.raises(InputError, match="there is no nowhere:alarm any more"):
        find("nowhere:alarm", {})
