"""``ETag`` and ``If-Match``: whoever changes something says which version they have seen (RFC 9110, RFC 6585)."""

import re
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Header, Response

from botyard.errors import InputError, PermanentError

Answer = TypeVar("Answer")

_ETAG: Final = re.compile(r'"([0-9]{1,19})"', re.ASCII)


class VersionNeeded(PermanentError):
    """It was not said which version was seen."""

    def __init__(self) -> None:
        super().__init__()

    def __str__(self) -> str:
        return "Say with If-Match which version you have seen: the ETag of the answer when you read it."


def etag(version: int) -> str:
    """The tag of a version."""
    return f'"{version}"'


def tagged(response: Response, version: int, answer: Answer) -> Answer:
    """The answer, with the version of what it shows in ``ETag``."""
    response.headers["ETag"] = etag(version)
    return answer


def _expected(if_match: Annotated[str | None, Header(max_length=200)] = None) -> int | None:
    if if_match is None:
        raise VersionNeeded
    if if_match.strip() == "*":
        return None
    found = _ETAG.fullmatch(if_match.strip())
    if found is None or int(found.group(1)) >= 2**63:
        raise InputError("If-Match", "is no ETag of ours.", 'Write it as it was given, as "3"; or * for any version.')
    return int(found.group(1))


Expected = Annotated[int | None, Depends(_expected)]
"""The version that a change is for; none: whichever it is (``*``). Services raise `botyard.errors.Stale`."""
