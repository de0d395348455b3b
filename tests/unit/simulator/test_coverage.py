from pathlib import Path

from botyard.simulator import schema
from botyard.simulator.coverage import table, written
from botyard.simulator.methods import REGISTRY
from botyard.simulator.orders import ORDERS

DOCUMENT = Path(__file__).parents[3] / "docs" / "simulator.md"


def test_the_document_lists_the_methods_that_there_are() -> None:
    text = DOCUMENT.read_text()
    assert text == written(text), "run: python -m botyard.simulator.coverage docs/simulator.md"


def test_every_method_of_the_bot_api_is_either_there_or_listed_as_missing() -> None:
    words = set(table().replace(",", " ").replace(".", " ").split())
    assert set(schema.names().values()) <= words


def test_every_method_is_described_by_the_bot_api_and_says_what_it_does() -> None:
    assert REGISTRY.keys() <= schema.methods().keys()
    assert [name for name, function in REGISTRY.items() if not function.__doc__] == []


def test_the_document_names_every_order_of_the_control_api() -> None:
    text = DOCUMENT.read_text()
    assert [path for _, path in ORDERS if f"{path.removeprefix('/sim/')}" not in text] == []
