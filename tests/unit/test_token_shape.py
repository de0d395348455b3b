"""A token that cannot be one is refused with what is wrong with it, and is never repeated."""

import pytest

from botyard.bots.token_shape import check_token
from botyard.errors import InputError

GOOD = "4500000001:AAEhBOweik6ad6PsWZGUUUvE8nsXTWZl0aM"

SLIPS = {
    f"{GOOD} ": "space",
    f"4500000001: {GOOD[11:]}": "space",
    f'"{GOOD}"': "quotes",
    f"'{GOOD}'": "quotes",
    f"<{GOOD}>": "quotes or brackets",
    f"bot{GOOD}": 'begins with "bot"',
    f"https://api.telegram.org/bot{GOOD}/getMe": "an address",
    GOOD.replace(":", ""): "no colon",
    "@my_bot": "a bot's name",
    "4500000001:": "ends at its colon",
    f"{GOOD}:x": "not shaped like",
    f":{GOOD[11:]}": "not shaped like",
    "": "no colon",
}


@pytest.mark.parametrize("token", SLIPS)
def test_every_slip_has_its_sentence(token: str) -> None:
    with pytest.raises(InputError) as refused:
        check_token(token, "BOT_TOKEN")
    assert refused.value.field == "BOT_TOKEN"
    assert SLIPS[token] in refused.value.problem
    assert GOOD[11:] not in str(refused.value)
    assert "BotFather" in refused.value.remedy


def test_a_token_passes() -> None:
    check_token(GOOD)
