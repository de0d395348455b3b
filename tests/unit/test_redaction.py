import asyncio
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from botyard.settings import Settings
from botyard.telemetry.logs import configure_logs
from botyard.telemetry.redaction import redact, redact_tree

NUMBER = "4200000001"
SECRET_PART = "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw-"
TOKEN = f"{NUMBER}:{SECRET_PART}"
Configure = Callable[[Literal["console", "json"]], StringIO]


@pytest.mark.parametrize(
    "text",
    [
        f"https://api.telegram.org/bot{TOKEN}/sendMessage",
        f"https://api.telegram.org/bot{TOKEN}/test/sendMessage",
        f"https://api.telegram.org/file/bot{TOKEN}/documents/a.pdf",
        f"token={TOKEN}",
        f'{{"token": "{TOKEN}"}}',
        f"'{TOKEN}'",
        f"{TOKEN} {TOKEN}",
        f"https%3A//api.telegram.org/bot{NUMBER}%3A{SECRET_PART}/getMe",
        repr(f"/bot{TOKEN}/x".encode()),
    ],
)
def test_a_token_is_masked_wherever_it_stands(text: str) -> None:
    assert SECRET_PART not in redact(text)
    assert NUMBER in redact(text), "whose token it was may be known"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://:hunter2@127.0.0.1:6379/0", "redis://:***@127.0.0.1:6379/0"),
        ("postgresql://app:p%40ss@db/botyard", "postgresql://app:***@db/botyard"),
        ("proxy http://u:p@h:1 and http://u2:p2@h2", "proxy http://u:***@h:1 and http://u2:***@h2"),
    ],
)
def test_a_password_in_an_address_is_masked(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text", ["12:30 to 13:45", "https://api.telegram.org:443/x", "update 860000001: done", "a@b.example", "1:2:3"]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@given(
    st.integers(10_000, 10**13),
    st.text("abcXYZ019_-", min_size=35, max_size=35),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="0123456789")),
    st.text(max_size=20),
)
def test_no_surroundings_uncover_a_token(number: int, secret: str, before: str, after: str) -> None:
    assert secret not in redact(f"{before}{number}:{secret}{after}")


def test_a_structure_is_masked_at_every_depth_in_keys_and_values() -> None:
    found = redact_tree({"a": [{"b": (TOKEN, 5)}], TOKEN: None, "c": {"d": f"x{TOKEN}"}})
    assert SECRET_PART not in repr(found)
    assert found["a"][0]["b"][1] == 5


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Configure]:
    """Logs as every process configures them, into a text."""
    root, stream = logging.getLogger(), StringIO()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in ("httpx", "telegram", "aiohttp")}
    monkeypatch.chdir(tmp_path)

    def configure(log_format: Literal["console", "json"]) -> StringIO:
        monkeypatch.setattr(sys, "stderr", stream)
        configure_logs(Settings(log_format=log_format), "test")
        return stream

    yield configure
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


class Odd:
    def __repr__(self) -> str:
        return f"<Odd {TOKEN}>"


FORMATS: tuple[Literal["console", "json"], ...] = ("console", "json")
VALUES: dict[str, Any] = {
    "text": TOKEN,
    "nested": {"a": [TOKEN]},
    "exception": ValueError(f"/bot{TOKEN}/getMe"),
    "bytes": TOKEN.encode(),
    "set": {TOKEN},
    "object": Odd(),
    "nested object": [{"x": Odd()}],
}


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("value", VALUES)
def test_no_value_that_is_logged_shows_a_token(
    configured: Configure, log_format: Literal["console", "json"], value: str
) -> None:
    output = configured(log_format)
    structlog.get_logger("test").warning("something", value=VALUES[value])
    logging.getLogger("library").warning("something %s", VALUES[value])
    assert output.getvalue().count("something") == 2
    assert SECRET_PART not in output.getvalue()


def raise_with_token() -> None:
    raise RuntimeError(f"outer {TOKEN}") from ValueError(f"inner /bot{TOKEN}/x")


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("speaker", ["ours", "library"])
def test_a_traceback_is_shown_without_its_token(
    configured: Configure, log_format: Literal["console", "json"], speaker: str
) -> None:
    output = configured(log_format)
    log = structlog.get_logger("test") if speaker == "ours" else logging.getLogger("library")
    try:
        raise_with_token()
    except RuntimeError:
        log.exception("it_failed")
    text = output.getvalue()
    assert SECRET_PART not in text
    assert "raise_with_token" in text, "the traceback itself must not be lost"
    assert "RuntimeError" in text


def test_each_line_of_the_json_format_is_json_with_process_level_and_time(configured: Configure) -> None:
    output = configured("json")
    structlog.get_logger("test").info("ours", count=3)
    logging.getLogger("library").error("theirs %s", {"a": 1})
    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["ours", "theirs {'a': 1}"]
    assert [line["level"] for line in lines] == ["info", "error"]
    assert all(line["process"] == "test" and line["timestamp"] and line["logger"] for line in lines[:1])


async def test_an_exception_of_aiohttp_is_masked_with_its_causes() -> None:
    url = f"http://127.0.0.1:1/bot{TOKEN}/getMe"
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientError) as raised:
            await session.get(url)
        with pytest.raises(aiohttp.InvalidURL) as invalid:
            await session.get(f"http://[bad/bot{TOKEN}")
    for error in (raised.value, invalid.value):
        assert SECRET_PART not in redact("".join(traceback.format_exception(error)))
    await asyncio.sleep(0)
