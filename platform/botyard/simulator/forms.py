"""Reading the parameters of an HTTP request: query, urlencoded, multipart, JSON."""

from email.message import Message
from email.parser import HeaderParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from botyard.simulator.errors import bad_request
from botyard.simulator.packing import unpack


class Upload(dict[str, Any]):
    """A file in a form. As a dictionary it tells name, type and length; the history keeps no more of it."""

    def __init__(self, name: str, mime_type: str, content: bytes) -> None:
        super().__init__(file_name=name, mime_type=mime_type, bytes=len(content))
        self.content = content


def read_values(query: bytes, content_type: str, body: bytes) -> dict[str, Any]:
    """Return all parameters of a request by name; the body wins over the query.

    Args:
        query: the query string, without ``?``.
        content_type: the header of that name.
        body: the whole body.

    Raises:
        ApiError: the body does not fit its content type.
    """
    values: dict[str, Any] = _urlencoded(query) if query else {}
    if not body:
        return values
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/json":
        values.update(_json(body))
    elif kind == "multipart/form-data":
        values.update(_multipart(content_type, body))
    elif kind == "application/x-www-form-urlencoded":
        values.update(_urlencoded(body))
    return values


def _urlencoded(data: bytes) -> dict[str, str]:
    return dict(parse_qsl(data.decode("utf-8", "replace"), keep_blank_values=True))


def _json(body: bytes) -> dict[str, Any]:
    try:
        values = unpack(body)
    except ValueError:
        raise bad_request("can't parse request: can't parse JSON object") from None
    if not isinstance(values, dict):
        raise bad_request("can't parse request: expected an Object")
    return values


def _multipart(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the fields of a form; a file becomes an :class:`Upload`.

    The parser of the standard library reads line by line, which takes seconds and a multiple of the memory for a
    file of 50 MB; here every part is found once and copied once.
    """
    boundary = Message()
    boundary["content-type"] = content_type
    mark = str(boundary.get_param("boundary") or "").encode("latin-1", "replace")
    edge = b"--" + mark
    if not mark or not body.startswith(edge):
        raise bad_request("can't parse request: wrong boundary")
    values: dict[str, Any] = {}
    start = len(edge)
    while body[start : start + 2] != b"--":
        end = body.find(b"\r\n" + edge, start)
        head = body.find(b"\r\n\r\n", start, end)
        if end < 0 or head < 0:
            raise bad_request("can't parse request: the form is cut off")
        _part(values, body[start:head], body[head + 4 : end])
        start = end + 2 + len(edge)
    return values


def _part(values: dict[str, Any], head: bytes, content: bytes) -> None:
    """Take one part into the values."""
    headers = HeaderParser(policy=HTTP).parsestr(head.decode("utf-8", "replace").lstrip())
    name = headers.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        return
    name, filename = _readable(name), headers.get_filename()
    if filename is None:
        values[name] = content.decode("utf-8", "replace")
    else:
        values[name] = Upload(_readable(filename), _readable(headers.get_content_type()), content)


def _readable(text: str) -> str:
    """Replace the stand-ins for broken bytes that the parser of headers leaves: no JSON can hold them."""
    return text.encode("utf-8", "replace").decode()
