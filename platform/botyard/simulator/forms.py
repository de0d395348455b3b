"""Reading the parameters of an HTTP request: query, urlencoded, multipart, JSON."""

from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

import orjson

from botyard.simulator.errors import bad_request


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
        values = orjson.loads(body)
    except ValueError:
        raise bad_request("can't parse request: can't parse JSON object") from None
    if not isinstance(values, dict):
        raise bad_request("can't parse request: expected an Object")
    return values


def _multipart(content_type: str, body: bytes) -> dict[str, Any]:
    """Return the fields of a form; a file becomes a dictionary with its name, type and bytes."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    form = BytesParser(policy=HTTP).parsebytes(head + body)
    if not form.is_multipart():
        raise bad_request("can't parse request: wrong boundary")
    values: dict[str, Any] = {}
    for part in form.walk():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            continue
        filename = part.get_filename()
        if filename is None:
            values[name] = content.decode("utf-8", "replace")
        else:
            values[name] = {"file_name": filename, "mime_type": part.get_content_type(), "bytes": len(content)}
    return values
