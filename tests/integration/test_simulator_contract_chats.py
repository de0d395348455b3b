"""Chats, members, links and pins, called by python-telegram-bot's own client and read by its own classes."""

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import telegram
from telegram.error import BadRequest, ChatMigrated, Forbidden, RetryAfter

from botyard.simulator.images import blank_picture
from tests.unit.simulator.process import BOT, TOKEN, Client

ALL_KINDS = ["message", "channel_post", "my_chat_member", "chat_member", "chat_join_request"]
HOUR = dt.timedelta(hours=1)
PERMISSIONS = telegram.ChatPermissions(can_send_messages=True, can_invite_users=True)


@dataclass
class Scene:
    """A chat that Ann leads with the bot's help, and Bob, a plain member."""

    client: Client
    bot: telegram.Bot
    ann: int
    bob: int
    chat: int

    async def updates(self, kind: str) -> list[Any]:
        """Return what the bot is told of one kind, as python-telegram-bot reads it; the rest is forgotten."""
        found = await self.bot.get_updates(allowed_updates=ALL_KINDS)
        if found:
            await self.bot.get_updates(offset=found[-1].update_id + 1)
        return [getattr(update, kind) for update in found if getattr(update, kind)]


def soon() -> dt.datetime:
    return dt.datetime.now(dt.UTC) + HOUR


Make = Callable[[str], Awaitable[Scene]]


@pytest.fixture
async def make(client: Client) -> AsyncIterator[Make]:
    async with telegram.Bot(TOKEN, base_url=f"{client.url}/bot", base_file_url=f"{client.url}/file/bot") as bot:

        async def build(kind: str) -> Scene:
            ann, bob = [(await client.post("/sim/people", first_name=name))["id"] for name in ("Ann", "Bob")]
            made = await client.post(
                "/sim/groups", type=kind, title="Friends", creator_id=ann, member_ids=[bob], bot_ids=[BOT]
            )
            rights = dict.fromkeys(telegram.ChatAdministratorRights.all_rights().to_dict(), True)
            await client.post("/sim/promote", person_id=ann, chat_id=made["id"], user_id=BOT, rights=rights)
            scene = Scene(client, bot, ann, bob, made["id"])
            await scene.updates("message")
            return scene

        yield build


@pytest.fixture
async def scene(make: Make) -> Scene:
    return await make("supergroup")


@pytest.mark.parametrize("kind", ["group", "supergroup", "channel"])
async def test_a_chat_and_its_people_are_read(make: Make, kind: str) -> None:
    scene = await make(kind)
    chat = await scene.bot.get_chat(scene.chat)
    assert (chat.type, chat.title) == (kind, "Friends")
    leaders = await scene.bot.get_chat_administrators(scene.chat)
    assert {type(one) for one in leaders} == {telegram.ChatMemberOwner, telegram.ChatMemberAdministrator}
    assert await scene.bot.get_chat_member_count(scene.chat) == 3
    assert isinstance(await scene.bot.get_chat_member(scene.chat, scene.bob), telegram.ChatMemberMember)
    with pytest.raises(BadRequest, match="Chat not found"):
        await scene.bot.get_chat(-5)


async def test_people_are_banned_let_back_and_restricted(scene: Scene) -> None:
    bot, chat, bob = scene.bot, scene.chat, scene.bob
    assert await bot.restrict_chat_member(chat, bob, telegram.ChatPermissions.no_permissions(), until_date=soon())
    restricted = await bot.get_chat_member(chat, bob)
    assert isinstance(restricted, telegram.ChatMemberRestricted)
    assert not restricted.can_send_messages
    assert await bot.ban_chat_member(chat, bob, until_date=soon())
    banned = await bot.get_chat_member(chat, bob)
    assert isinstance(banned, telegram.ChatMemberBanned)
    assert banned.until_date > dt.datetime.now(dt.UTC)
    assert await bot.unban_chat_member(chat, bob, only_if_banned=True)
    assert isinstance(await bot.get_chat_member(chat, bob), telegram.ChatMemberLeft)
    changes = await scene.updates("chat_member")
    assert [change.new_chat_member.status for change in changes] == ["restricted", "kicked", "left"]
    with pytest.raises(BadRequest, match="Can't remove chat owner"):
        await bot.ban_chat_member(chat, scene.ann)
    with pytest.raises(BadRequest, match="Can't restrict self"):
        await bot.restrict_chat_member(chat, BOT, PERMISSIONS)


async def test_administrators_are_made_and_named(scene: Scene) -> None:
    bot, chat, bob = scene.bot, scene.chat, scene.bob
    assert await bot.promote_chat_member(chat, bob, can_pin_messages=True)
    assert await bot.set_chat_administrator_custom_title(chat, bob, "Helper")
    shown = await bot.get_chat_member(chat, bob)
    assert isinstance(shown, telegram.ChatMemberAdministrator)
    assert (shown.custom_title, shown.can_pin_messages, shown.can_be_edited) == ("Helper", True, True)
    with pytest.raises(BadRequest, match="Can't promote self"):
        await bot.promote_chat_member(chat, BOT, can_pin_messages=True)
    assert await bot.promote_chat_member(chat, bob)
    with pytest.raises(BadRequest, match="User is not an administrator"):
        await bot.set_chat_administrator_custom_title(chat, bob, "Helper")
    assert await bot.set_chat_member_tag(chat, bob, "Guest")


async def test_a_chat_is_renamed_described_pictured_and_closed(scene: Scene) -> None:
    bot, chat = scene.bot, scene.chat
    assert await bot.set_chat_title(chat, "Best friends")
    assert await bot.set_chat_description(chat, "Since 1999")
    assert await bot.set_chat_photo(chat, blank_picture(640, 640))
    assert await bot.set_chat_permissions(chat, PERMISSIONS)
    full = await bot.get_chat(chat)
    assert (full.title, full.description) == ("Best friends", "Since 1999")
    assert full.photo
    assert full.permissions
    assert not full.permissions.can_send_polls
    assert (await bot.get_file(full.photo.big_file_id)).file_unique_id == full.photo.big_file_unique_id
    assert await bot.delete_chat_photo(chat)
    assert not (await bot.get_chat(chat)).photo
    heard = await scene.updates("message")
    assert [bool(one.new_chat_title or one.new_chat_photo or one.delete_chat_photo) for one in heard] == [True] * 3
    with pytest.raises(BadRequest, match="Chat description is not modified"):
        await bot.set_chat_description(chat, "Since 1999")


async def test_messages_are_pinned(scene: Scene) -> None:
    bot, chat = scene.bot, scene.chat
    message = await bot.send_message(chat, "Rules")
    assert await bot.pin_chat_message(chat, message.message_id)
    pinned = (await bot.get_chat(chat)).pinned_message
    assert pinned
    assert pinned.text == "Rules"
    assert (await scene.updates("message"))[0].pinned_message.message_id == message.message_id
    assert await bot.unpin_chat_message(chat, message_id=message.message_id)
    assert await bot.unpin_all_chat_messages(chat)
    with pytest.raises(BadRequest, match="Message to pin not found"):
        await bot.pin_chat_message(chat, 999)


async def test_links_are_made_changed_and_ended(scene: Scene) -> None:
    bot, chat = scene.bot, scene.chat
    assert (await bot.export_chat_invite_link(chat)).startswith("https://t.me/+")
    link = await bot.create_chat_invite_link(chat, name="Door", member_limit=5)
    assert (link.name, link.member_limit, link.creator.id) == ("Door", 5, BOT)
    edited = await bot.edit_chat_invite_link(chat, link, name="Gate", expire_date=soon())
    assert (edited.name, edited.member_limit) == ("Gate", None)
    assert edited.expire_date
    assert (await bot.revoke_chat_invite_link(chat, link)).is_revoked
    with pytest.raises(BadRequest, match="Invite_hash_expired"):
        await bot.edit_chat_invite_link(chat, link, name="Door")


async def test_who_asks_to_join_is_let_in_or_not(scene: Scene) -> None:
    bot, chat, client = scene.bot, scene.chat, scene.client
    link = await bot.create_chat_invite_link(chat, creates_join_request=True)
    cid, dan = [(await client.post("/sim/people", first_name=name))["id"] for name in ("Cid", "Dan")]
    for person in (cid, dan):
        await client.post("/sim/join", person_id=person, invite_link=link.invite_link)
    requests = await scene.updates("chat_join_request")
    assert [request.from_user.id for request in requests] == [cid, dan]
    assert await bot.approve_chat_join_request(chat, cid)
    assert await bot.decline_chat_join_request(chat, dan)
    assert (await scene.updates("chat_member"))[0].via_join_request
    with pytest.raises(BadRequest, match="Hide_requester_missing"):
        await bot.approve_chat_join_request(chat, dan)


async def test_a_bot_leaves_and_is_removed(scene: Scene) -> None:
    assert await scene.bot.leave_chat(scene.chat)
    assert isinstance((await scene.updates("my_chat_member"))[0].new_chat_member, telegram.ChatMemberLeft)
    with pytest.raises(Forbidden, match="bot is not a member of the supergroup chat"):
        await scene.bot.send_message(scene.chat, "hi")
    await scene.client.post("/sim/add", person_id=scene.ann, chat_id=scene.chat, user_id=BOT)
    await scene.client.post("/sim/remove", person_id=scene.ann, chat_id=scene.chat, user_id=BOT)
    with pytest.raises(Forbidden, match="bot was kicked from the supergroup chat"):
        await scene.bot.get_chat(scene.chat)


async def test_a_group_becomes_a_supergroup(make: Make) -> None:
    scene = await make("group")
    new = (await scene.client.post("/sim/migrate", chat_id=scene.chat))["id"]
    leaving, arriving = await scene.updates("message")
    assert (leaving.chat.id, leaving.migrate_to_chat_id) == (scene.chat, new)
    assert (arriving.chat.id, arriving.migrate_from_chat_id) == (new, scene.chat)
    with pytest.raises(ChatMigrated) as refusal:
        await scene.bot.send_message(scene.chat, "hi")
    assert refusal.value.new_chat_id == new
    assert (await scene.bot.send_message(new, "hi")).chat.id == new


async def test_in_a_basic_group_nobody_is_promoted(make: Make) -> None:
    scene = await make("group")
    with pytest.raises(BadRequest, match="available for supergroup and channel chats only"):
        await scene.bot.promote_chat_member(scene.chat, scene.bob, can_pin_messages=True)


async def test_a_channel_is_posted_in_and_read(make: Make) -> None:
    scene = await make("channel")
    await scene.client.post("/sim/send", bot_id=BOT, person_id=scene.ann, chat_id=scene.chat, text="News")
    post = (await scene.updates("channel_post"))[0]
    assert (post.text, post.from_user, post.sender_chat.id) == ("News", None, scene.chat)
    assert (await scene.bot.send_message(scene.chat, "More")).sender_chat
    supergroup = await make("supergroup")
    assert await scene.bot.ban_chat_sender_chat(supergroup.chat, scene.chat)
    assert await scene.bot.unban_chat_sender_chat(supergroup.chat, scene.chat)
    with pytest.raises(BadRequest, match="Can't change channel chat permissions"):
        await scene.bot.set_chat_permissions(scene.chat, PERMISSIONS)


async def test_a_group_that_is_flooded_says_how_long_to_wait(scene: Scene) -> None:
    for _ in range(20):
        await scene.bot.send_message(scene.chat, "hi")
    with pytest.raises(RetryAfter) as refusal:
        await scene.bot.send_message(scene.chat, "hi")
    assert 50 < int(refusal.value._retry_after.total_seconds()) <= 60


async def test_there_are_no_forums(scene: Scene) -> None:
    bot, chat = scene.bot, scene.chat
    calls = [
        bot.create_forum_topic(chat, "Topic"),
        bot.edit_forum_topic(chat, 1, "Topic"),
        bot.close_forum_topic(chat, 1),
        bot.reopen_forum_topic(chat, 1),
        bot.delete_forum_topic(chat, 1),
        bot.unpin_all_forum_topic_messages(chat, 1),
        bot.edit_general_forum_topic(chat, "Topic"),
        bot.close_general_forum_topic(chat),
        bot.reopen_general_forum_topic(chat),
        bot.hide_general_forum_topic(chat),
        bot.unhide_general_forum_topic(chat),
        bot.unpin_all_general_forum_topic_messages(chat),
    ]
    for call in calls:
        with pytest.raises(BadRequest, match="The chat is not a forum"):
            await call
