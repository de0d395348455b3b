import pytest

from botyard.simulator.errors import ControlError
from botyard.simulator.joining import come_by_link
from botyard.simulator.model import JoinRequest, Person
from botyard.simulator.people import membership
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.gatherings import gather, guest, told
from tests.unit.simulator.shapes import assert_shape

HOUR = 3600


def stranger(stage: Stage, name: str = "Bob") -> Person:
    return stage.world.add_person(Person(0, name))


def test_a_link_lets_in_and_tells_by_which_one(stage: Stage) -> None:
    stage.bot.allowed_updates = ["message", "chat_member"]
    chat = gather(stage)
    link = stage.call("createChatInviteLink", chat_id=chat.id, name="Door")
    assert_shape(link, "ChatInviteLink")
    bob = stranger(stage)
    assert come_by_link(stage.world, bob, link["invite_link"])
    assert told(stage.bot, "chat_member")[0]["invite_link"] == link
    message = told(stage.bot, "message")[0]
    assert (message["from"]["id"], message["new_chat_members"][0]["id"]) == (bob.id, bob.id)


def test_a_link_lets_in_so_many_for_so_long(stage: Stage) -> None:
    chat = gather(stage)
    ends = int(stage.clock.time) + HOUR
    link = stage.call("createChatInviteLink", chat_id=chat.id, member_limit=1, expire_date=ends)
    assert (link["member_limit"], link["expire_date"]) == (1, ends)
    come_by_link(stage.world, stranger(stage), link["invite_link"])
    with pytest.raises(ControlError, match="let in all 1"):
        come_by_link(stage.world, stranger(stage), link["invite_link"])
    stage.call("editChatInviteLink", chat_id=chat.id, invite_link=link["invite_link"], expire_date=ends)
    stage.clock.time = ends
    with pytest.raises(ControlError, match="has expired"):
        come_by_link(stage.world, stranger(stage), link["invite_link"])


def test_a_revoked_link_leads_nowhere(stage: Stage) -> None:
    chat = gather(stage)
    link = stage.call("createChatInviteLink", chat_id=chat.id)["invite_link"]
    assert stage.call("revokeChatInviteLink", chat_id=chat.id, invite_link=link)["is_revoked"]
    with pytest.raises(ControlError, match="was revoked"):
        come_by_link(stage.world, stranger(stage), link)
    words = stage.refusal("editChatInviteLink", chat_id=chat.id, invite_link=link)
    assert words == "Bad Request: INVITE_HASH_EXPIRED"


def test_a_new_primary_link_ends_the_old_one(stage: Stage) -> None:
    chat = gather(stage)
    first = stage.call("exportChatInviteLink", chat_id=chat.id)
    second = stage.call("exportChatInviteLink", chat_id=chat.id)
    assert first != second
    assert chat.links[first].revoked
    assert stage.call("getChat", chat_id=chat.id)["invite_link"] == second
    words = stage.refusal("editChatInviteLink", chat_id=chat.id, invite_link=second, name="x")
    assert words == "Bad Request: CHAT_INVITE_PERMANENT"
    stage.call("revokeChatInviteLink", chat_id=chat.id, invite_link=second)
    assert stage.call("getChat", chat_id=chat.id)["invite_link"] not in {first, second}


def test_who_must_ask_waits_for_an_answer(stage: Stage) -> None:
    stage.bot.allowed_updates = ["message", "chat_join_request", "chat_member"]
    chat = gather(stage)
    link = stage.call("createChatInviteLink", chat_id=chat.id, creates_join_request=True)["invite_link"]
    bob = stranger(stage)
    assert not come_by_link(stage.world, bob, link)
    request = told(stage.bot, "chat_join_request")[0]
    assert request["invite_link"]["pending_join_request_count"] == 1
    assert stage.call("sendMessage", chat_id=request["user_chat_id"], text="Why?")["chat"]["type"] == "private"
    with pytest.raises(ControlError, match="has asked already"):
        come_by_link(stage.world, bob, link)
    assert stage.call("approveChatJoinRequest", chat_id=chat.id, user_id=bob.id) is True
    change, message = told(stage.bot, "chat_member")[0], told(stage.bot, "message")[0]
    assert (change["via_join_request"], change["from"]["id"]) == (True, stage.bot.id)
    assert (message["new_chat_members"][0]["id"], message["from"]["id"]) == (bob.id, bob.id)
    assert chat.has(bob.id)
    words = stage.refusal("approveChatJoinRequest", chat_id=chat.id, user_id=bob.id)
    assert words == "Bad Request: USER_ALREADY_PARTICIPANT"


def test_who_is_declined_may_ask_again(stage: Stage) -> None:
    chat = gather(stage)
    link = stage.call("createChatInviteLink", chat_id=chat.id, creates_join_request=True)["invite_link"]
    bob = stranger(stage)
    come_by_link(stage.world, bob, link)
    assert stage.call("declineChatJoinRequest", chat_id=chat.id, user_id=bob.id) is True
    words = stage.refusal("declineChatJoinRequest", chat_id=chat.id, user_id=bob.id)
    assert words == "Bad Request: HIDE_REQUESTER_MISSING"
    assert not come_by_link(stage.world, bob, link)
    membership.decide(stage.world, stage.person, chat, bob.id, approved=True)
    assert chat.has(bob.id)


def test_the_banned_and_those_inside_cannot_use_a_link(stage: Stage) -> None:
    chat = gather(stage)
    link = stage.call("exportChatInviteLink", chat_id=chat.id)
    bob = guest(stage, chat)
    with pytest.raises(ControlError, match="is in the chat"):
        come_by_link(stage.world, bob, link)
    stage.call("banChatMember", chat_id=chat.id, user_id=bob.id)
    with pytest.raises(ControlError, match="is banned"):
        come_by_link(stage.world, bob, link)


def test_others_see_the_beginning_of_a_link_only(stage: Stage) -> None:
    stage.bot.allowed_updates = ["chat_member"]
    chat = gather(stage)
    other = stage.world.add_bot("4200000002:AAAA", "other_bot", "Other")
    membership.add(stage.world, stage.person, chat, other.id)
    membership.promote(stage.world, stage.person, chat, other.id, rights=None, title="")
    link = stage.call_as(other, "createChatInviteLink", chat_id=chat.id)["invite_link"]
    come_by_link(stage.world, stranger(stage), link)
    shown = told(stage.bot, "chat_member")[-1]["invite_link"]["invite_link"]
    assert shown.endswith("...")
    assert link.startswith(shown.removesuffix("..."))
    words = stage.refusal("revokeChatInviteLink", chat_id=chat.id, invite_link=link)
    assert words == "Bad Request: INVITE_HASH_EXPIRED"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        (
            {"member_limit": 5, "creates_join_request": True},
            "member limit can't be specified for links requiring administrator approval",
        ),
        ({"expire_date": 1_000_000_000}, "EXPIRE_DATE_INVALID"),
    ],
)
def test_a_senseless_link_is_refused(stage: Stage, params: dict[str, int], words: str) -> None:
    chat = gather(stage)
    assert stage.refusal("createChatInviteLink", chat_id=chat.id, **params) == f"Bad Request: {words}"


def test_links_are_for_administrators_who_may_invite(stage: Stage) -> None:
    chat = gather(stage, rights={"can_pin_messages": True})
    words = stage.refusal("exportChatInviteLink", chat_id=chat.id)
    assert words == "Bad Request: not enough rights to manage chat invite link"
    words = stage.refusal("approveChatJoinRequest", chat_id=chat.id, user_id=stage.person.id)
    assert words == "Bad Request: not enough rights to manage chat join requests"
    stage.write()
    words = stage.refusal("createChatInviteLink", chat_id=stage.person.id)
    assert words == "Bad Request: can't invite members to a private chat"


def test_who_was_added_no_longer_asks_to_join(stage: Stage) -> None:
    chat = gather(stage)
    link = stage.call("createChatInviteLink", chat_id=chat.id, creates_join_request=True)["invite_link"]
    ann = stranger(stage)
    come_by_link(stage.world, ann, link)
    assert ann.id in chat.requests
    membership.add(stage.world, stage.person, chat, ann.id)
    membership.promote(stage.world, stage.person, chat, ann.id, rights=None, title="")
    assert ann.id not in chat.requests
    # A world that was saved with such a request still has it.
    chat.requests[ann.id] = JoinRequest(ann.id, 0)
    with pytest.raises(ControlError, match="is in the chat"):
        membership.decide(stage.world, stage.person, chat, ann.id, approved=True)
    assert chat.members[ann.id].status == "administrator"
