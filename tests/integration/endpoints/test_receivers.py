"""The receiver of docs/endpoints.md, as it stands there, takes what is sent."""

import re
from typing import Any

from pytest import CaptureFixture  # noqa: PT013 - only its name is needed

from botyard.endpoints.recovering import resend
from botyard.endpoints.sending import Sender
from botyard.events import event_types
from tests.factories import make_bot
from tests.integration.endpoints.receiver import Receiver, endpoint, happen, messages, send_all
from tests.services import ROOT, Services

PAGE = (ROOT / "docs/endpoints.md").read_text(encoding="utf-8")


async def test_the_receiver_on_the_page_takes_a_message_once_and_nothing_forged(
    sender: Sender, receiver: Receiver, clean: Services, capsys: CaptureFixture[str]
) -> None:
    (code,) = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - it is our own page
    bot = make_bot()
    _, secret = endpoint(receiver)
    happen(bot.id)
    await send_all(sender)
    ((number,),) = clean.superuser("SELECT id FROM endpoint_messages")
    resend(number)
    await send_all(sender)
    answers = [names["receive"](got.headers, got.body, secret) for got in receiver.got]
    assert answers == [204, 204]
    assert capsys.readouterr().out.count("bot.stopped") == 1
    first = receiver.got[0]
    assert names["receive"](first.headers, first.body.replace(b"lunch", b"bunch"), secret) == 401
    later = first.headers | {"webhook-timestamp": str(int(first.headers["webhook-timestamp"]) - 400)}
    assert names["receive"](later, first.body, secret) == 401
    assert messages(clean) == [("delivered", 1)]


def test_the_page_names_every_type_of_event() -> None:
    assert {kind for kind in event_types() if f"`{kind}`" not in PAGE} == set()
