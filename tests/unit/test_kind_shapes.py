"""What a kind is given: by the names of its parameters, checked by the type of its settings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, NotRequired

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator
from typing_extensions import TypedDict

from botyard.errors import InputError
from botyard.telegram.kind_shapes import Given, KindShape, SettingsMisfit, Unopened, arguments, shape_of
from botyard.telegram.loading import find_shape, look_at

if TYPE_CHECKING:
    from telegram.ext import Application

SEEN: dict[str, Any] = {}


@dataclass(frozen=True)
class Menu:
    title: str = "Eat"
    size: int = 3


@dataclass(frozen=True)
class Plain:
    greeting: str = "Hi"
    often: int = 3
    loud: bool = False
    tags: list[str] = field(default_factory=list)
    menu: Menu = field(default_factory=Menu)
    since: date | None = None
    mode: Literal["a", "b"] = "a"


class Model(BaseModel):
    model_config = ConfigDict(extra="allow")

    city: str = Field(max_length=5)
    """It has no default."""

    @field_validator("city")
    @classmethod
    def _known(cls, value: str) -> str:
        return {"berlin": "BER"}[value] if value == "brok" else value


class Typed(TypedDict):
    x: NotRequired[int]


def plain(_: Any, settings: Plain) -> None:
    SEEN["settings"] = settings


def model(_: Any, settings: Model) -> None:
    SEEN["settings"] = settings


def typed(_: Any, *, settings: Typed, features: Mapping[str, bool]) -> None:
    SEEN.update(settings=settings, features=features)


def with_names(_: "Application[Any, Any, Any, Any, Any, Any]", settings: "Plain") -> None:
    SEEN["settings"] = settings


def free(_: Any, settings) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    SEEN["settings"] = settings


def nothing(_: Any) -> None:
    SEEN["called"] = True


def everything(_: Any, settings: Plain, features: Mapping[str, bool], secrets: Mapping[str, str]) -> None:
    SEEN.update(settings=settings, features=features, secret=secrets["KEY"])


def asks_for_more(_: Any, database: Any) -> None:
    """Nobody gives it one."""


def odd(_: Any, settings: Callable[[], int]) -> None:
    """What has no schema."""


@pytest.fixture(autouse=True)
def unseen() -> None:
    SEEN.clear()


def shape(kind: Callable[..., None]) -> KindShape:
    return shape_of(kind.__name__, kind)


@pytest.mark.parametrize("kind", [plain, with_names])
def test_settings_come_as_the_type_that_the_kind_names_with_its_defaults(kind: Callable[..., None]) -> None:
    found = shape(kind).read({"greeting": "Ho", "menu": {"size": 5}, "since": "2026-01-02"})
    assert found == Plain(greeting="Ho", menu=Menu(size=5), since=date(2026, 1, 2))


def test_models_and_typed_dicts_are_schemas_too() -> None:
    assert shape(model).read({"city": "Rome"}) == Model(city="Rome")
    assert shape(typed).read({"x": "5"}) == {"x": 5}
    assert shape(free).read({"whatever": [1]}) == {"whatever": [1]}


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        (
            plain,
            {"often": "many"},
            "settings.often: input should be a valid integer, unable to parse string as an integer.",
        ),
        (plain, {"oftn": 1}, "settings.oftn: is not known here."),
        (plain, {"menu": {"colour": 1}}, "settings.menu.colour: is not known here."),
        (plain, {"mode": "c"}, "settings.mode: input should be 'a' or 'b'."),
        (model, {}, "settings.city: is missing."),
        (model, {"city": "Amsterdam"}, "settings.city: string should have at most 5 characters."),
        (model, {"city": "Rome", "country": "IT"}, "settings.country: is not known here."),
        (typed, {"y": 1}, "settings.y: is not known here."),
        (nothing, {"x": 1}, "settings: are given, and the kind nothing takes none."),
    ],
)
def test_wrong_settings_are_refused_by_their_name(
    kind: Callable[..., None], settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsMisfit) as refused:
        shape(kind).read(settings)
    assert str(refused.value).startswith(said)
    assert refused.value.remedy


def test_a_check_of_the_kinds_own_that_breaks_is_the_kinds_error_with_its_place() -> None:
    with pytest.raises(InputError, match=r"KeyError at .*test_kind_shapes.py:\d+") as refused:
        shape(model).read({"city": "brok"})
    assert not isinstance(refused.value, SettingsMisfit)


@pytest.mark.parametrize(
    ("name", "text", "meant"),
    [
        ("greeting", "5", "5"),
        ("greeting", "true", "true"),
        ("greeting", "[1]", "[1]"),
        ("greeting", '"quoted"', '"quoted"'),
        ("greeting", '""', ""),
        ("often", "5", 5),
        ("often", "many", "many"),
        ("often", "on", "on"),
        ("loud", "on", True),
        ("loud", "No", False),
        ("loud", "true", True),
        ("tags", '["a", "b"]', ["a", "b"]),
        ("menu", '{"size": 5}', {"size": 5}),
        ("menu.size", "5", 5),
        ("menu.title", "5", "5"),
        ("since", "2026-01-02", "2026-01-02"),
        ("since", "null", None),
        ("mode", "b", "b"),
        ("unknown", "5", "5"),
    ],
)
def test_a_text_is_read_as_what_the_setting_takes(name: str, text: str, meant: Any) -> None:
    found = shape(plain).read_text(name.split("."), text)
    assert found == meant
    assert type(found) is type(meant)


def test_a_text_without_a_type_is_json_if_it_can_be() -> None:
    assert [shape(free).read_text(["x"], text) for text in ("5", "on", "Hi", "NaN")] == [5, True, "Hi", "NaN"]


def test_a_text_on_which_the_kinds_own_check_breaks_is_left_to_that_check() -> None:
    assert shape(model).read_text(["city"], "brok") == "brok"


def test_the_schema_tells_types_and_defaults() -> None:
    found = shape(plain).schema()
    assert found["properties"]["often"] == {"default": 3, "title": "Often", "type": "integer"}
    assert shape(model).schema()["required"] == ["city"]
    assert shape(nothing).schema()["properties"] == {}


@pytest.mark.parametrize(("kind", "words"), [(asks_for_more, "parameter database"), (odd, "no schema|JSON schema")])
def test_a_kind_that_asks_for_what_nobody_gives_is_refused(kind: Callable[..., None], words: str) -> None:
    with pytest.raises(InputError, match=words):
        shape(kind).schema()


def test_secrets_are_opened_only_for_a_kind_that_wants_them() -> None:
    def opened() -> Mapping[str, str]:
        SEEN["opened"] = True
        return {"KEY": "s3cret"}

    given = Given({"often": 1}, {"loud": True}, opened)
    assert arguments(shape(plain), given) == {"settings": Plain(often=1)}
    assert "opened" not in SEEN
    assert arguments(shape(everything), given)["secrets"] == {"KEY": "s3cret"}
    assert "s3cret" not in repr(given)


def test_who_only_looks_at_a_kind_shows_it_no_secret() -> None:
    look_at(f"{__name__}:everything")
    assert {"settings": Plain(), "features": {}, "secret": "not-opened-KEY"} == SEEN
    assert "KEY" in Unopened()
    assert list(Unopened()) == []


def refusing(_: Any, secrets: Mapping[str, str]) -> None:
    raise ValueError(SEEN["words"].format(secrets["KEY"]))


@pytest.mark.parametrize("words", ["bad key {}", "bad key {!r}", "{} is bad", "bad key {}: look at it"])
@pytest.mark.parametrize(
    "secret",
    ["sk-canary-CANARY", "sk-canary-CANARY\r", "\tsk-canary-CANARY ", "sk-canary-CANARY\nsk-canary-2",
     "sk-canary-1\r\nsk-canary-2\r\n", "{\n  sk-canary-CANARY\n}", "sk-canary-CANARY.", "sk-canary\\CANARY", "canary"],
)  # fmt: skip
def test_no_line_of_a_secret_stands_in_an_error(secret: str, words: str) -> None:
    SEEN["words"] = words
    with pytest.raises(InputError, match="cannot be built") as refused:
        look_at(f"{__name__}:refusing", Given(secrets=lambda: {"KEY": secret}))
    assert "canary" not in str(refused.value).lower()
    assert "***" in str(refused.value) or secret.startswith("{")


def test_a_kind_without_parameters_is_called_as_ever() -> None:
    look_at(f"{__name__}:nothing")
    assert SEEN == {"called": True}


def test_a_script_takes_nothing_and_says_where_it_looks(tmp_path: Any) -> None:
    script = tmp_path / "mybot.py"
    script.write_text("")
    with pytest.raises(SettingsMisfit, match="reads its environment"):
        find_shape(str(script)).read({"x": 1})
