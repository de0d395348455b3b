"""How objects are called on the wire: ``bot_31`` for our row 31, Telegram's own numbers as strings.

For whoever uses the API both are opaque. Telegram's numbers have up to 52 bits, ours up to 63: more than JavaScript
counts exactly.
"""

import re
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

_LARGEST: Final = 2**63 - 1
_NUMBER: Final = r"[1-9][0-9]{0,18}"


def _given(prefix: str, example: int) -> Any:
    """For what comes in: text on the wire, the number in our code."""
    pattern = re.compile(f"{prefix}_({_NUMBER})", re.ASCII)

    def read(value: object) -> int:
        found = pattern.fullmatch(value) if isinstance(value, str) else None
        if found is None or int(found.group(1)) > _LARGEST:
            raise ValueError(f"is no id of this kind: they look like {prefix}_{example}")
        return int(found.group(1))

    return BeforeValidator(read, json_schema_input_type=str), _schema(prefix, example)


def _shown(prefix: str, example: int) -> Any:
    """For what goes out: the number in our code, text on the wire."""

    def write(value: int) -> str:
        return f"{prefix}_{value}"

    return PlainSerializer(write, return_type=str), _schema(prefix, example)


def _schema(prefix: str, example: int) -> WithJsonSchema:
    return WithJsonSchema({
        "type": "string", "pattern": f"^{prefix}_{_NUMBER}$", "maxLength": len(prefix) + 20,
        "examples": [f"{prefix}_{example}"],
    })  # fmt: skip


BotId = Annotated[int, *_given("bot", 31)]
CustomerId = Annotated[int, *_given("cus", 12)]
PersonId = Annotated[int, *_given("per", 4)]
KeyId = Annotated[int, *_given("key", 7)]
SignInId = Annotated[int, *_given("ses", 9)]
InvitationId = Annotated[int, *_given("inv", 3)]
OperationId = Annotated[int, *_given("op", 15)]
EndpointId = Annotated[int, *_given("end", 2)]
EndpointMessageId = Annotated[int, *_given("msg", 81)]
EventId = Annotated[int, *_given("evt", 1201)]
SendId = Annotated[int, *_given("snd", 640)]
ScheduleId = Annotated[int, *_given("sch", 5)]
RunId = Annotated[int, *_given("run", 21)]
DeadLetterId = Annotated[int, *_given("dead", 17)]
AuditId = Annotated[int, *_given("aud", 530)]

ShownBotId = Annotated[int, *_shown("bot", 31)]
ShownCustomerId = Annotated[int, *_shown("cus", 12)]
ShownPersonId = Annotated[int, *_shown("per", 4)]
ShownKeyId = Annotated[int, *_shown("key", 7)]
ShownSignInId = Annotated[int, *_shown("ses", 9)]
ShownInvitationId = Annotated[int, *_shown("inv", 3)]
ShownOperationId = Annotated[int, *_shown("op", 15)]
ShownEndpointId = Annotated[int, *_shown("end", 2)]
ShownEndpointMessageId = Annotated[int, *_shown("msg", 81)]
ShownEventId = Annotated[int, *_shown("evt", 1201)]
ShownSendId = Annotated[int, *_shown("snd", 640)]
ShownScheduleId = Annotated[int, *_shown("sch", 5)]
ShownRunId = Annotated[int, *_shown("run", 21)]
ShownDeadLetterId = Annotated[int, *_shown("dead", 17)]
ShownAuditId = Annotated[int, *_shown("aud", 530)]

_TELEGRAM = re.compile(r"-?[1-9][0-9]{0,15}", re.ASCII)


def _telegram_number(value: object) -> int:
    if isinstance(value, str) and _TELEGRAM.fullmatch(value):
        return int(value)
    raise ValueError("is no number of Telegram's: write it as a string of digits")


TelegramId = Annotated[
    int,
    BeforeValidator(_telegram_number, json_schema_input_type=str),
    WithJsonSchema({"type": "string", "pattern": "^-?[1-9][0-9]{0,15}$", "maxLength": 17, "examples": ["7234567890"]}),
]
ShownTelegramId = Annotated[
    int,
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^-?[0-9]+$", "examples": ["7234567890"]}),
]
