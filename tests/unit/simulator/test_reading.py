from typing import Any

import pytest

from botyard.simulator.control import is_local_host
from botyard.simulator.errors import ApiError
from botyard.simulator.forms import Upload, read_values
from botyard.simulator.params import Params

FORM = "application/x-www-form-urlencoded"
BOUNDARY = "multipart/form-data; boundary=xyz"
MULTIPART = (
    b'--xyz\r\nContent-Disposition: form-data; name="text"\r\n\r\nh\xc3\xa9llo\r\n'
    b'--xyz\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n\x00\xff\r\n--xyz--\r\n"
)


@pytest.mark.parametrize(
    ("query", "kind", "body", "values"),
    [
        (b"a=1&b=%C3%A9", "", b"", {"a": "1", "b": "é"}),
        (b"a=1", FORM, b"a=2&c=", {"a": "2", "c": ""}),
        (b"", "application/json; charset=utf-8", b'{"a":[1]}', {"a": [1]}),
        (
            b"",
            BOUNDARY,
            MULTIPART,
            {"text": "héllo", "file": {"file_name": "a.bin", "mime_type": "application/octet-stream", "bytes": 2}},
        ),
    ],
)
def test_parameters_are_read_from_every_kind_of_body(
    query: bytes, kind: str, body: bytes, values: dict[str, Any]
) -> None:
    assert read_values(query, kind, body) == values


def test_a_file_in_a_form_keeps_its_bytes_whatever_is_in_them() -> None:
    content = b"\r\n--xy\r\n\r\n-xyz--\r\n\x00"
    body = MULTIPART.replace(b"\x00\xff", content)
    file = read_values(b"", BOUNDARY, body)["file"]
    assert isinstance(file, Upload)
    assert file.content == content


def test_a_file_name_outside_ascii_is_read() -> None:
    body = MULTIPART.replace(b"a.bin", "größe.bin".encode())
    assert read_values(b"", BOUNDARY, body)["file"]["file_name"] == "größe.bin"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (BOUNDARY, MULTIPART[:-8]),
        (BOUNDARY, b"--xyz\r\n\r\n--xyz--"),
        (BOUNDARY, b"--abc--"),
        ("multipart/form-data", MULTIPART),
    ],
)
def test_a_form_that_is_cut_off_or_has_another_boundary_is_refused(kind: str, body: bytes) -> None:
    with pytest.raises(ApiError, match="can't parse request"):
        read_values(b"", kind, body)


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"'])
def test_a_json_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError):
        read_values(b"", "application/json", body)


def test_strings_stand_for_other_types_as_forms_need_it() -> None:
    params = Params({"n": "-5", "yes": "True", "list": "[1]", "object": '{"a":1}', "nothing": None})
    assert params.integer("n") == -5
    assert params.flag("yes") is True
    assert params.items("list") == [1]
    assert params.dictionary("object") == {"a": 1}
    assert not params.has("nothing")


@pytest.mark.parametrize("value", ["x", "", 1.5, True, [], "1" * 20])
def test_what_is_no_integer_is_refused(value: Any) -> None:
    with pytest.raises(ApiError, match='parameter "n" must be an integer'):
        Params({"n": value}).integer("n")


def test_a_required_parameter_is_asked_for() -> None:
    with pytest.raises(ApiError, match='parameter "n" is required'):
        Params({}).integer("n")


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1:8081", True),
        ("[::1]:8081", True),
        ("LOCALHOST:1", True),
        ("", False),
        ("evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("evil.example@x", False),
        ("[", False),
    ],
)
def test_only_names_of_this_machine_are_local(host: str, local: bool) -> None:
    assert is_local_host(host) is local
