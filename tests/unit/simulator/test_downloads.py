from collections.abc import MutableMapping
from typing import Any

import pytest

from botyard.simulator.downloads import FILE_PATH, send_to_page
from botyard.simulator.forms import Upload
from botyard.simulator.media import KINDS, keep
from tests.unit.simulator.conftest import Stage

BYTES = b"0123456789"


async def fetch(stage: Stage, wanted: str) -> tuple[int, dict[bytes, bytes], bytes]:
    file = keep(stage.world, KINDS["audio"], Upload("a.mp3", "audio/mpeg", BYTES))
    scope = {"path": FILE_PATH + file.unique_id, "method": "GET", "headers": [(b"range", wanted.encode())]}
    sent: list[MutableMapping[str, Any]] = []

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await send_to_page(stage.simulator, scope, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


@pytest.mark.parametrize(
    ("wanted", "place", "body"),
    [
        ("bytes=0-1", "0-1/10", b"01"),
        ("bytes=4-", "4-9/10", b"456789"),
        ("bytes=8-99", "8-9/10", b"89"),
        ("bytes=-3", "7-9/10", b"789"),
        ("bytes=-99", "0-9/10", BYTES),
    ],
)
async def test_a_part_of_a_file_is_sent_as_sound_and_film_need_it(
    stage: Stage, wanted: str, place: str, body: bytes
) -> None:
    status, headers, sent = await fetch(stage, wanted)
    assert (status, headers[b"content-range"], sent) == (206, f"bytes {place}".encode(), body)
    assert headers[b"content-type"] == b"audio/mpeg"
    assert headers[b"content-length"] == str(len(body)).encode()


@pytest.mark.parametrize("wanted", ["", "bytes=-", "items=0-1", "bytes=0-1,4-5", "bytes=x-"])
async def test_what_is_no_single_part_gets_the_whole_file(stage: Stage, wanted: str) -> None:
    status, headers, sent = await fetch(stage, wanted)
    assert (status, headers[b"accept-ranges"], sent) == (200, b"bytes", BYTES)


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=5-4", "bytes=-0"])
async def test_a_part_that_is_not_there_is_refused(stage: Stage, wanted: str) -> None:
    status, headers, _ = await fetch(stage, wanted)
    assert (status, headers[b"content-range"]) == (416, b"bytes */10")
