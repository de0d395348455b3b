"""The webhook's answers, called as a server calls it, with the real Valkey and PostgreSQL behind."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
import redis
import redis.asyncio
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from botyard.mailbox.inbound import Mailboxes
from botyard.mailbox.protocol import Times
from botyard.web import webhook
from botyard.web.webhook import Intakes, Refusal, Webhook
from tests.factories import SECRET, TELEGRAM_ID, FakeTickets, make_bot, message, payloads
from tests.services import Services, environment

TIMES = Times(lease=9_000, queued=10_000, running=10_000, share=2, cap=5)
OTHERS_ID, OTHERS_SECRET = TELEGRAM_ID + 1, "another-bots-secret"
HEADERS = {b"x-telegram-bot-api-secret-token": SECRET.encode(), b"content-type": b"application/json"}
BODY = orjson.dumps(message(1))
MEGABYTE = 1024 * 1024


@dataclass
class Answer:
    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    read: int = 0
    """How many pieces of the body were taken."""
    body: bytes = b""


CALM = 3


class Door:
    """A webhook in a loop of its own."""

    def __init__(self, runner: "asyncio.Runner", redis_url: str) -> None:
        self.runner = runner
        self.tickets = FakeTickets()
        self.connect(redis_url)

    def connect(self, redis_url: str, times: Times = TIMES) -> None:
        self.client = redis.asyncio.Redis.from_url(redis_url, socket_timeout=2, socket_connect_timeout=2)
        self.webhook = Webhook(Mailboxes(self.client, times), self.tickets, Intakes(), CALM)

    def ask(
        self,
        body: bytes | list[bytes] = BODY,
        headers: dict[bytes, bytes] | list[tuple[bytes, bytes]] = HEADERS,
        path: str = f"/webhook/public-{TELEGRAM_ID}",
        method: str = "POST",
    ) -> Answer:
        chunks = body if isinstance(body, list) else [body]
        answer, sent = Answer(), iter(range(len(chunks)))

        async def receive() -> dict[str, Any]:
            number = next(sent, None)
            if number is None:
                return {"type": "http.disconnect"}
            answer.read += 1
            return {"type": "http.request", "body": chunks[number], "more_body": number + 1 < len(chunks)}

        async def send(event: Any) -> None:
            if event["type"] == "http.response.start":
                assert answer.status == 0, "two answers"
                answer.status, answer.headers = event["status"], dict(event["headers"])
            else:
                answer.body += event["body"]

        pairs = list(headers.items()) if isinstance(headers, dict) else headers
        scope = {"type": "http", "method": method, "path": path, "headers": pairs}
        self.runner.run(self.webhook(scope, receive, send))
        self.runner.run(self.settled())
        return answer

    async def settled(self) -> None:
        """Wait for what is looked up behind an answer: it must not outlive the environment it was asked in."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait_for(asyncio.gather(*others), 10)


@pytest.fixture
def door(clean: Services) -> Iterator[Door]:
    make_bot()
    with asyncio.Runner() as runner:
        door = Door(runner, clean.redis_url)
        yield door
        runner.run(door.client.aclose())


def test_an_update_is_answered_when_redis_has_it(door: Door, valkey: "redis.Redis") -> None:
    assert door.ask().status == 200
    (entry,) = valkey.lrange(f"by:box:{TELEGRAM_ID}:700000001", 0, -1)
    update_id, stamp, body = str(entry).split(" ", 2)
    assert (update_id, body.encode()) == ("1", BODY)
    assert abs(int(stamp) / 1000 - valkey.time()[0]) < 5
    assert [(ticket.bot, ticket.queue) for ticket in door.tickets.sent] == [(TELEGRAM_ID, "slow")]


def test_a_repeated_update_is_answered_and_not_kept_twice(door: Door, valkey: "redis.Redis") -> None:
    assert [door.ask().status for _ in range(3)] == [200, 200, 200]
    assert valkey.llen(f"by:box:{TELEGRAM_ID}:700000001") == 1
    assert len(door.tickets.sent) == 1


@pytest.mark.parametrize("kind", sorted(payloads()))
def test_an_update_of_every_kind_is_taken_in(door: Door, kind: str) -> None:
    assert door.ask(orjson.dumps(payloads()[kind])).status == 200


def test_an_update_of_an_unknown_kind_is_taken_in_and_kept(door: Door, valkey: "redis.Redis") -> None:
    body = b'{"update_id": 5, "brand_new": {"x": "\\u0000"}}'
    assert door.ask(body).status == 200
    (entry,) = valkey.lrange(f"by:box:{TELEGRAM_ID}:0", 0, -1)
    assert str(entry).split(" ", 2)[2].encode() == body


@pytest.mark.parametrize(
    "path",
    ["/webhook/", "/webhook/unknown", "/webhook/a/b", "/webhook/a\0b", "/webhook/ä", "/webhook/" + "a" * 5000,
     "/webhook/' OR 1=1", "/webhook/%00"],
)  # fmt: skip
def test_a_path_of_nobody_is_not_found(door: Door, path: str) -> None:
    assert door.ask(path=path).status == 404


@pytest.mark.parametrize(
    "secret", [None, b"", b"wrong", SECRET.encode()[:-1], SECRET.encode() + b"x", OTHERS_SECRET.encode(), b"\xff\x00"]
)
def test_a_request_without_this_bots_secret_is_refused_and_changes_nothing(
    door: Door, valkey: "redis.Redis", secret: bytes | None
) -> None:
    headers = {name: value for name, value in HEADERS.items() if secret is None or name == b"content-type"}
    if secret is None:
        del headers[b"x-telegram-bot-api-secret-token"]
    else:
        headers[b"x-telegram-bot-api-secret-token"] = secret
    answer = door.ask([b"x" * 10] * 3, headers)
    assert (answer.status, answer.read) == (401, 0)
    assert valkey.keys("*") == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "post", ""])
def test_only_posts_are_taken(door: Door, method: str) -> None:
    assert door.ask(method=method).status == 405
    assert door.ask(method=method, path="/webhook/unknown").status == 405


@pytest.mark.parametrize(
    "given_type", [None, b"", b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data"]
)
def test_only_json_is_taken(door: Door, given_type: bytes | None) -> None:
    headers = {**HEADERS, b"content-type": given_type or b""}
    if given_type is None:
        del headers[b"content-type"]
    assert door.ask(headers=headers).status == 415


@pytest.mark.parametrize("given_type", [b"application/json", b"application/json; charset=utf-8", b"Application/JSON"])
def test_json_is_taken_however_it_is_written(door: Door, given_type: bytes) -> None:
    assert door.ask(headers={**HEADERS, b"content-type": given_type}).status == 200


@pytest.mark.parametrize("length", [b"1048577", b"99999999999999999999", b"-1", b"x", b"1" * 5000])
def test_a_body_that_is_announced_too_large_is_refused_unread(door: Door, length: bytes) -> None:
    answer = door.ask(headers={**HEADERS, b"content-length": length})
    assert (answer.status, answer.read) == (413, 0)
    assert answer.headers[b"connection"] == b"close"


def test_a_body_that_grows_too_large_is_read_no_further(door: Door) -> None:
    answer = door.ask([b"x" * 100_000] * 30)
    assert (answer.status, answer.read) == (413, 11)


def test_the_largest_body_is_taken_in_pieces(door: Door) -> None:
    update = orjson.dumps({"update_id": 1, "x": "y" * (MEGABYTE - 22)})
    assert len(update) == MEGABYTE
    pieces = [update[start : start + 70_000] for start in range(0, MEGABYTE, 70_000)]
    assert door.ask(pieces).status == 200
    assert door.ask([*pieces, b" "]).status == 413


BAD_BODIES = [
    b"", b"{", b"[]", b"null", b"5", b'"x"', b"{}", b"\xff\xfe", b"\xef\xbb\xbf{}", b"[" * 100_000,
    b'{"update_id": "1"}', b'{"update_id": 1.0}', b'{"update_id": true}', b'{"update_id": null}', b'{"update_id": -1}',
    b'{"update_id": 1e3}', b'{"update_id": 9007199254740992}', b'{"update_id": 18446744073709551616}',
    b'{"update_id": 1, "x": "\xff"}',
]  # fmt: skip


@pytest.mark.parametrize("body", BAD_BODIES, ids=lambda body: repr(body[:30]))
def test_what_is_no_update_is_a_bad_request(door: Door, valkey: "redis.Redis", body: bytes) -> None:
    assert door.ask(body).status == 400
    assert valkey.keys("*") == []


def test_a_request_that_breaks_off_is_not_taken_in(door: Door, valkey: "redis.Redis") -> None:
    async def broken() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    statuses: list[int] = []

    async def send(event: Any) -> None:
        statuses.append(event.get("status", 0))

    scope = {
        "type": "http",
        "method": "POST",
        "path": f"/webhook/public-{TELEGRAM_ID}",
        "headers": list(HEADERS.items()),
    }
    door.runner.run(door.webhook(scope, broken, send))
    assert statuses[0] == 400
    assert valkey.keys("*") == []


def refused_for_now(answer: Answer) -> bool:
    return (answer.status, answer.headers.get(b"retry-after")) == (503, b"2")


def test_a_full_mailbox_asks_to_come_again(door: Door) -> None:
    statuses = [door.ask(orjson.dumps(message(number, chat_id=number))).status for number in range(1, 6)]
    assert statuses == [200] * 5
    assert refused_for_now(door.ask(orjson.dumps(message(6))))
    assert door.ask(orjson.dumps(message(5, chat_id=5))).status == 200, "what is known needs no room"


def test_a_bot_with_many_waiting_updates_is_acknowledged_later_though_it_is_taken_in(
    door: Door, valkey: "redis.Redis", monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        # By now it is ours: a sender that leaves here has lost nothing.
        assert valkey.hget(f"by:bot:{TELEGRAM_ID}", "held") == str(CALM + len(pauses))

    monkeypatch.setattr("botyard.web.webhook.asyncio.sleep", pause)
    for number in range(1, 6):
        assert door.ask(orjson.dumps(message(number, chat_id=number))).status == 200
    assert pauses == [4 / 10_000, 5 / 10_000]


def test_a_redis_that_is_gone_asks_to_come_again(door: Door) -> None:
    assert door.ask().status == 200
    old = door.client
    door.connect("redis://127.0.0.1:1/0")
    assert refused_for_now(door.ask())
    door.runner.run(old.aclose())


def test_a_redis_that_takes_no_more_asks_to_come_again_and_keeps_nothing(door: Door, valkey: "redis.Redis") -> None:
    valkey.config_set("maxmemory", 1)
    try:
        assert refused_for_now(door.ask())
    finally:
        valkey.config_set("maxmemory", "0")
    assert valkey.keys("*") == []
    assert door.ask().status == 200


def database_gone(clean: Services) -> dict[str, str]:
    return {"DATABASE_SYSTEM_URL": clean.environment["DATABASE_SYSTEM_URL"].rsplit(":", 1)[0] + ":1/botyard"}


def test_without_a_database_an_unknown_path_asks_to_come_again(clean: Services, door: Door) -> None:
    with environment(database_gone(clean)):
        assert refused_for_now(door.ask())


def test_without_a_database_a_known_bot_is_served_on(
    clean: Services, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "_KNOWN_SECONDS", 0.0)
    assert door.ask().status == 200
    with environment(database_gone(clean)), capture_logs() as logs:
        assert door.ask(orjson.dumps(message(2))).status == 200
    assert [line["event"] for line in logs] == ["intake_not_refreshed"]


def test_a_bot_that_is_added_is_known_soon_after_its_path_was_asked_for(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "_UNKNOWN_SECONDS", 0.0)
    path = f"/webhook/public-{OTHERS_ID}"
    assert door.ask(path=path).status == 404
    make_bot(OTHERS_ID)
    assert door.ask(path=path).status == 200


def test_guessed_names_push_out_no_bot_that_is_known(
    clean: Services, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "_MOST_UNKNOWN", 20)
    assert door.ask().status == 200
    for number in range(30):
        assert door.ask(path=f"/webhook/guess{number}").status == 404
    with environment(database_gone(clean)):
        assert door.ask(orjson.dumps(message(2))).status == 200
        assert door.ask(path="/webhook/guess29").status == 404, "so is the last one"
        assert refused_for_now(door.ask(path="/webhook/guess0"))


def test_of_many_names_at_once_that_nobody_has_seen_only_some_are_looked_up(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "_MOST_LOOKUPS", 5)
    intakes = Intakes()

    async def guess() -> list[Any]:
        known = await intakes.find(f"public-{TELEGRAM_ID}")
        guesses = [asyncio.ensure_future(intakes.find(f"guess{number}")) for number in range(20)]
        await asyncio.sleep(0)
        assert await intakes.find(f"public-{TELEGRAM_ID}") is known
        assert known is not None
        return await asyncio.gather(*guesses, return_exceptions=True)

    assert door.runner.run(guess()) == [None] * 5 + [Refusal(503)] * 15


ALLOWED = {200, 400, 401, 404, 405, 413, 415, 503}
names = st.sampled_from(
    [b"x-telegram-bot-api-secret-token", b"content-type", b"content-length", b"transfer-encoding", b"x"]
)
values = st.sampled_from([*HEADERS.values(), b"5", b"0"]) | st.binary(max_size=60)
json_texts = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9) | st.sampled_from(sorted(payloads())), inner)
    ),
    max_leaves=8,
)
updates = st.builds(
    lambda number, kind, content: {"update_id": number, kind: content},
    st.integers(-5, 2**54), st.sampled_from(sorted(payloads())) | st.text(max_size=9), json_texts,
)  # fmt: skip


def encoded(value: Any) -> bytes:
    import json

    return json.dumps(value).encode("utf-8", "surrogatepass")


@hypothesis_settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.binary(max_size=40), max_size=4) | (updates | json_texts).map(lambda value: [encoded(value)]),
    st.just(list(HEADERS.items())) | st.lists(st.tuples(names, values), max_size=5),
    st.just(f"public-{TELEGRAM_ID}") | st.text(max_size=12),
    st.sampled_from(["POST", "POST", "GET"]),
)
@example([b'{"update_id": 1, "\\ud800": 1}'], list(HEADERS.items()), f"public-{TELEGRAM_ID}", "POST")
def test_whatever_is_asked_is_answered_with_one_of_the_known_answers(
    door: Door, chunks: list[bytes], headers: list[tuple[bytes, bytes]], path: str, method: str
) -> None:
    answer = door.ask(chunks, headers, f"/webhook/{path}", method)
    assert answer.status in ALLOWED
    assert answer.status != 503 or door.runner.run(is_full(door.client))


async def is_full(client: "redis.asyncio.Redis") -> bool:
    return int(await client.hget(f"by:bot:{TELEGRAM_ID}", "held") or 0) >= TIMES.cap
