"""Each failed start of a handler is told to the simulator, without secrets; nobody there is no trouble."""

from botyard.settings import Settings
from tests.factories import CHAT, TELEGRAM_ID, make_bot, message
from tests.integration.fake_api import FakeApi, error, fake_api
from tests.integration.rig import rig
from tests.services import Services

KIND = "tests.integration.test_failure_notes:leaking"
SECRET = "AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"


async def _leak(_: object, __: object) -> None:
    raise ValueError(f"cannot open https://api.example.org/bot4500000001:{SECRET}/getMe")


def leaking(application: object) -> None:
    from telegram.ext import Application, MessageHandler, filters

    assert isinstance(application, Application)
    application.add_handler(MessageHandler(filters.ALL, _leak))


def _notes(api: FakeApi) -> list[dict[str, object]]:
    return [call.params for call in api.calls if call.method == "notes"]


async def test_every_failed_start_is_told_with_its_traceback_and_without_the_token(
    clean: Services, settings: Settings
) -> None:
    async with fake_api() as api, rig(clean, settings, failure_notes_url=f"{api.url}/botsim/notes") as yard:
        api.script[:] = [error(404, "there is no POST /sim/notes")]
        await yard.give(make_bot(kind=KIND, api_url=api.url), message(1, "x"))
        await yard.settle()
    notes = _notes(api)
    assert [note["title"] for note in notes] == [
        f"ValueError: cannot open https://api.example.org/bot4500000001:***/getMe (start {n})" for n in (1, 2, 3)
    ]
    assert {(note["bot_id"], note["update_id"], note["chat_id"]) for note in notes} == {(TELEGRAM_ID, 1, CHAT)}
    assert "in _leak" in str(notes[-1]["text"])
    assert SECRET not in str(notes)


async def test_a_note_that_nobody_takes_holds_up_nothing(clean: Services, settings: Settings) -> None:
    async with rig(clean, settings, failure_notes_url="http://127.0.0.1:1/sim/notes") as yard:
        await yard.give(make_bot(kind=KIND), message(1, "x"))
        await yard.settle(sending=False)
        assert yard.services.superuser("SELECT count(*) FROM dead_letters") == [(1,)]
