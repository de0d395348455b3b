"""Sending through a bot over the API: accepted once, told about, taken back, and refused where Telegram would."""

# ruff: noqa: S608 - statements with our own numbers and names

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from botyard.accounts.roles import Role
from botyard.messages import waking
from tests.factories import TELEGRAM_ID, FakeTickets, make_bot
from tests.integration.api.callers import Answer, Caller, House, house
from tests.integration.fake_api import FakeApi
from tests.integration.outbox_tools import add_row, column
from tests.integration.rig import Rig
from tests.services import Services

PLACE = "/v1/bots/bot_{}/messages"


@pytest.fixture
def tickets(monkeypatch: pytest.MonkeyPatch) -> FakeTickets:
    made = FakeTickets()
    monkeypatch.setattr(waking, "_tickets", lambda: made)
    return made


@pytest.fixture
def acme(web: TestClient, tickets: FakeTickets) -> House:  # noqa: ARG001 - with its database
    return house("acme", TELEGRAM_ID)


@pytest.fixture
def operator(web: TestClient, acme: House) -> Caller:
    return Caller(web, acme.tokens[Role.OPERATOR])


def send(caller: Caller, acme: House, **message: Any) -> Answer:
    return caller.post(PLACE.format(acme.bot.id), {"chatId": "5", "text": "hi"} | message)


def params(clean: Services) -> Any:
    ((found,),) = clean.superuser("SELECT params FROM outbox ORDER BY id DESC LIMIT 1")
    return found


def test_a_message_is_accepted_put_into_the_outbox_and_its_sender_woken(
    operator: Caller, acme: House, clean: Services, tickets: FakeTickets
) -> None:
    buttons = [[{"text": "a", "data": "d"}, {"text": "b", "url": "https://example.org"}]]
    answer = send(operator, acme, text="<b>hi</b>", parseMode="HTML", buttons=buttons, disableNotification=True)
    assert (answer.status, answer.body["state"], answer.body["lane"]) == (202, "queued", "scheduled")
    assert answer.headers["location"] == f"/api/v1/bots/bot_{acme.bot.id}/sends/{answer.body['id']}"
    assert params(clean) == {
        "chat_id": 5, "text": "<b>hi</b>", "parse_mode": "HTML", "disable_notification": True,
        "reply_markup": {"inline_keyboard": [[
            {"text": "a", "callback_data": "d"}, {"text": "b", "url": "https://example.org"},
        ]]},
    }  # fmt: skip
    assert [(one.task, one.bot) for one in tickets.sent] == [("botyard.deliver", acme.bot.id)]
    assert clean.superuser("SELECT entity, actor LIKE 'person:%' FROM events WHERE type = 'send.requested'") == [
        (answer.body["id"].replace("snd_", "send:"), True)
    ]


def test_a_request_that_is_repeated_sends_once(operator: Caller, acme: House, clean: Services) -> None:
    path, body = PLACE.format(acme.bot.id), {"chatId": "5", "text": "hi"}
    key: dict[str, str | None] = {"Idempotency-Key": "order-31"}
    first = operator.ask("POST", path, body, key)
    # As after a death between the commit and the answer.
    clean.superuser("UPDATE idempotency_keys SET state = 'running', status = NULL, answer = NULL")
    again = operator.ask("POST", path, body, key)
    assert (again.status, again.body["id"]) == (202, first.body["id"])
    assert operator.ask("POST", path, body | {"text": "other"}, key).status == 422
    assert operator.ask("POST", path, body, {"Idempotency-Key": None}).status == 400
    assert clean.superuser("SELECT count(*) FROM outbox") == [(1,)]


def test_a_group_that_moved_is_written_to_where_it_is_now(operator: Caller, acme: House, clean: Services) -> None:
    clean.superuser(
        f"INSERT INTO chats (bot_id, customer_id, chat_key, moved_to) VALUES ({acme.bot.id}, {acme.id}, '-5', '-1005')"
    )
    assert send(operator, acme, chatId="-5").body["chatId"] == "-1005"
    assert params(clean)["chat_id"] == -1005


@pytest.mark.parametrize(
    "message",
    [
        {"chatId": "abc"}, {"chatId": "0"}, {"chatId": "@x"}, {"chatId": "-99999999999999999"}, {"chatId": 5},
        {"text": ""}, {"text": " \n"}, {"text": "<b></b>", "parseMode": "HTML"}, {"text": "\0"},
        {"text": "x" * 4097}, {"text": "\U0001f600" * 2049}, {"text": "x", "caption": "y"}, {"text": None},
        {"text": "x", "photo": {"url": "https://example.org/a.jpg"}},
        {"text": None, "photo": {"url": "https://example.org/a.jpg"}, "caption": "x" * 1025},
        {"text": None, "photo": {"url": "http://example.org/a.jpg"}},
        {"text": None, "photo": {}}, {"text": None, "photo": {"fileId": "x" * 20, "url": "https://example.org/a"}},
        {"text": None, "photo": {"file": "file_AAAA"}},
        {"entities": [{"type": "bold", "offset": 1, "length": 2}]},
        {"entities": [{"type": "bold", "offset": 0, "length": 1}], "parseMode": "HTML"},
        {"buttons": [[{"text": "a", "data": "\u00e9" * 33}]]}, {"buttons": [[{"text": "a"}]]}, {"buttons": [[]]},
        {"buttons": [[{"text": "a", "data": "b", "url": "https://example.org"}]]},
        {"buttons": [[{"text": "a", "url": "javascript:alert(1)"}]]},
        {"lane": "urgent"}, {"replyMarkup": {}},
    ],
)  # fmt: skip
def test_what_telegram_would_refuse_is_refused_at_once(
    operator: Caller, acme: House, clean: Services, message: dict[str, Any]
) -> None:
    answer = send(operator, acme, **message)
    assert answer.status == 422, answer.body
    assert answer.body["errors"]
    assert clean.superuser("SELECT count(*) FROM outbox") == [(0,)]


@pytest.mark.parametrize(
    "message",
    [
        {"text": "x" * 4096}, {"text": "\U0001f600" * 2048}, {"text": f"<b>{'x' * 4095}</b>&amp;", "parseMode": "HTML"},
        {"text": "*" + "x" * 4094 + "*[a](https://example.org/" + "y" * 90 + ")", "parseMode": "MarkdownV2"},
        {"chatId": "@a_channel"}, {"chatId": "-1001234567890", "lane": "bulk"},
        {"text": "\U0001f600a", "entities": [{"type": "bold", "offset": 2, "length": 1}]},
        {"text": None, "video": {"fileId": "BAACAgIAAxkBAAIB"}, "caption": "c"},
    ],
)  # fmt: skip
def test_what_telegram_takes_is_taken(operator: Caller, acme: House, message: dict[str, Any]) -> None:
    assert send(operator, acme, **message).status == 202


def test_a_bot_that_is_off_is_said_to_be_so_and_one_that_is_stopped_lets_messages_wait(
    operator: Caller, acme: House, clean: Services
) -> None:
    clean.superuser(f"UPDATE bots SET status = 'inactive' WHERE id = {acme.bot.id}")
    refused = send(operator, acme)
    assert (refused.status, "switched off" in refused.body["detail"]) == (409, True)
    clean.superuser(f"UPDATE bots SET status = 'error', status_reason = 'token refused' WHERE id = {acme.bot.id}")
    waiting = send(operator, acme)
    assert (waiting.status, waiting.body["state"]) == (202, "waiting")
    assert waiting.body["reason"] == "its bot is stopped: token refused"
    clean.superuser(f"UPDATE bots SET status = 'active', removal_began = now() WHERE id = {acme.bot.id}")
    assert send(operator, acme).status == 409


def test_what_a_message_waits_for_is_told(operator: Caller, acme: House, clean: Services, raw_valkey: Any) -> None:
    first, second = send(operator, acme).body, send(operator, acme).body
    assert (first["state"], second["state"]) == ("queued", "waiting")
    assert second["reason"] == "an earlier message to the same chat"
    place = f"/v1/bots/bot_{acme.bot.id}/sends/"
    clean.superuser("UPDATE outbox SET state = 'retry', error = 'Bad Gateway', due = now() + interval '1 min'")
    assert operator.get(place + first["id"]).body["reason"] == "another try: Bad Gateway"
    raw_valkey.zadd(f"by:shut:{acme.bot.id}", {"5": 4_102_444_800_000})
    assert "closed the chat until 2100-01-01" in operator.get(place + first["id"]).body["reason"]
    clean.superuser("UPDATE outbox SET state = 'dead', error = 'chat is gone', resolved_at = now()")
    dead = operator.get(place + first["id"]).body
    assert (dead["state"], dead["reason"]) == ("dead", "chat is gone")


def test_a_message_is_taken_back_while_it_waits_and_what_waited_behind_it_goes_on(
    operator: Caller, acme: House, clean: Services
) -> None:
    first, second = send(operator, acme).body["id"], send(operator, acme).body["id"]
    clean.superuser(f"UPDATE outbox SET due = 'infinity' WHERE id = {second.removeprefix('snd_')}")
    place = f"/v1/bots/bot_{acme.bot.id}/sends/"
    etag = operator.get(place + first).headers["etag"]
    assert operator.ask("DELETE", place + first, headers={"If-Match": '"1"'}).status == 412
    gone = operator.ask("DELETE", place + first, headers={"If-Match": etag})
    assert (gone.status, gone.body["state"]) == (200, "cancelled")
    assert column(clean, int(second.removeprefix("snd_")), "state, due <= now()") == ("queued", True)
    assert operator.delete(place + first).status == 409
    clean.superuser("UPDATE outbox SET state = 'retry', uncertain_count = 1 WHERE state = 'queued'")
    assert operator.delete(place + second).body["state"] == "uncertain", "it may have been sent"
    assert operator.delete(place + "snd_999").status == 404


def test_others_neither_send_nor_see_nor_take_back(web: TestClient, operator: Caller, acme: House) -> None:
    mine = send(operator, acme).body["id"]
    other = house("other", TELEGRAM_ID + 1)
    stranger, viewer = Caller(web, other.tokens[Role.OWNER]), Caller(web, acme.tokens[Role.VIEWER])
    place = f"/v1/bots/bot_{acme.bot.id}/sends/{mine}"
    assert [send(stranger, acme).status, stranger.get(place).status, stranger.delete(place).status] == [404, 404, 404]
    assert stranger.get(f"/v1/bots/bot_{other.bot.id}/sends/{mine}").status == 404
    assert [send(viewer, acme).status, viewer.get(place).status, viewer.delete(place).status] == [403, 200, 403]


def pieces(size: int) -> Iterator[bytes]:
    for _ in range(size // 65_536):
        yield b"x" * 65_536


def upload(web: TestClient, caller: Caller, acme: House, content: Any, name: str = "a.pdf") -> Any:
    headers = {"Authorization": f"Bearer {caller.token}", "Content-Type": "application/pdf"}
    return web.post(f"/api/v1/bots/bot_{acme.bot.id}/files", params={"name": name}, content=content, headers=headers)


async def test_an_uploaded_file_arrives_with_the_message(
    yard: Rig, api: FakeApi, web: TestClient, tickets: FakeTickets
) -> None:
    del tickets
    acme = house("acme", TELEGRAM_ID)
    bot = make_bot(TELEGRAM_ID + 5, customer_id=acme.id, api_url=api.url)
    acme.bot = bot
    operator = Caller(web, acme.tokens[Role.OPERATOR])
    kept = (await asyncio.to_thread(upload, web, operator, acme, pieces(3 << 20), "../../my\nreport.pdf")).json()
    assert (kept["size"], kept["name"], kept["type"]) == (3 << 20, "_.._my_report.pdf", "application/pdf")
    sent = await asyncio.to_thread(send, operator, acme, text=None, document={"file": kept["file"]}, caption="c")
    assert sent.status == 202, sent.body
    await yard.settle()
    (call,) = api.calls
    assert (call.method, call.files["document"][:2]) == ("sendDocument", ("_.._my_report.pdf", "application/pdf"))
    assert len(call.files["document"][2]) == 3 << 20
    shown = await asyncio.to_thread(operator.get, f"/v1/bots/bot_{bot.id}/sends/{sent.body['id']}")
    assert (shown.body["state"], shown.body["messageIds"]) == ("sent", [str(api.last_id)])
    said = await asyncio.to_thread(operator.get, f"/v1/bots/bot_{bot.id}/chats/5/messages")
    assert [(one["text"], one["state"]) for one in said.body["items"]] == [("c", "sent")]


def test_a_file_is_of_its_bot_and_of_a_size_and_nobody_elses(web: TestClient, operator: Caller, acme: House) -> None:
    kept = upload(web, operator, acme, b"content").json()
    other = house("other", TELEGRAM_ID + 1)
    stranger = Caller(web, other.tokens[Role.OWNER])
    document = {"file": kept["file"]}
    assert send(stranger, other, text=None, document=document).status == 422
    flipped = document["file"][:-2] + ("A" if document["file"][-2] != "A" else "B") + document["file"][-1]
    assert send(operator, acme, text=None, document={"file": flipped}).status == 422
    assert send(operator, acme, text=None, document=document).status == 202
    assert upload(web, operator, acme, b"").status_code == 422
    assert upload(web, operator, acme, b"x", name="...").status_code == 422
    assert upload(web, stranger, acme, b"x").status_code == 404
    assert upload(web, Caller(web, acme.tokens[Role.VIEWER]), acme, b"x").status_code == 403
    assert upload(web, operator, acme, pieces(51 << 20)).status_code == 413


def test_a_chats_history_has_what_is_not_sent_among_what_was_said(
    operator: Caller, acme: House, clean: Services
) -> None:
    for number in range(1, 6):
        clean.superuser(
            "INSERT INTO messages (bot_id, customer_id, chat_key, direction, kind, message_id, text, at) VALUES"
            f" ({acme.bot.id}, {acme.id}, '5', 'in', 'message', {number}, 'said {number}',"
            f" now() - interval '{10 - number} min')"
        )
    dead = add_row(clean, acme.bot, "dead", customer_id=acme.id, state="dead", error="why")
    clean.superuser(f"UPDATE outbox SET created_at = now() - interval '7.5 min' WHERE id = {dead}")
    add_row(clean, acme.bot, "waits", customer_id=acme.id)
    add_row(clean, acme.bot, "elsewhere", customer_id=acme.id, chat_key="6")
    seen, place = [], f"/v1/bots/bot_{acme.bot.id}/chats/5/messages?limit=2"
    while place:
        answer = operator.get(place).body
        seen += [(one["text"], one["direction"], one["state"]) for one in answer["items"]]
        place = (answer["next"] or "").removeprefix("/api")
    assert seen == [
        ("waits", "out", "queued"), ("said 5", "in", None), ("said 4", "in", None), ("said 3", "in", None),
        ("dead", "out", "dead"), ("said 2", "in", None), ("said 1", "in", None),
    ]  # fmt: skip


def test_chats_stand_in_the_order_of_their_latest_messages(operator: Caller, acme: House, clean: Services) -> None:
    for chat, words in (("5", "a"), ("6", "b"), ("5", "c"), ("-7", "d"), ("6", "e")):
        clean.superuser(
            "INSERT INTO messages (bot_id, customer_id, chat_key, direction, kind, text) VALUES"
            f" ({acme.bot.id}, {acme.id}, '{chat}', 'in', 'message', '{words}')"
        )
    seen, place = [], f"/v1/bots/bot_{acme.bot.id}/chats?limit=2"
    while place:
        answer = operator.get(place).body
        seen += [(one["chatId"], one["lastText"]) for one in answer["items"]]
        place = (answer["next"] or "").removeprefix("/api")
    assert seen == [("6", "e"), ("-7", "d"), ("5", "c")]
