"""Files that were made to do harm: nothing in them runs, and nothing of them grows beyond its limits."""

import io
import json
import pickle
import random
import stat
import struct
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from botyard.errors import InputError
from botyard.importing.files import RecordFile
from botyard.importing.items import Item, Remembered
from botyard.importing.people import Manner
from botyard.importing.pickles import read_pickle
from botyard.importing.ptb import Options, PicklePersistence
from botyard.importing.report import Report

SECONDS = 60
"""Far more than any of these needs, and far less than what it was made for would take."""


def brought(content: bytes, tmp_path: Path) -> tuple[list[Item], Report]:
    """What the import of a pickle gives."""
    path = tmp_path / "kept.pickle"
    path.write_bytes(content)
    report = Report()
    return list(PicklePersistence(path, report, Options({})).items()), report


def of_ann(value: bytes, name: bytes = b"x") -> bytes:
    """A pickle of PicklePersistence, with these opcodes for a value of a person's."""
    named = b"\x8c" + bytes([len(name)]) + name
    return b"\x80\x04}\x8c\x09user_data}K\x0b}" + named + value + b"sss."


def records(content: bytes, *, trusted: bool = False) -> tuple[list[Item], Report]:
    report = Report()
    return list(RecordFile(io.BytesIO(content), report, Manner(trusted=trusted)).items()), report


class Calling:
    """Pickles as a call."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_what_a_pickle_wants_to_be_called_is_not_called(tmp_path: Path, protocol: int) -> None:
    import os
    import subprocess

    proof = tmp_path / "proof"
    calls = (
        Calling(os.system, f"touch {proof}"), Calling(subprocess.check_call, ["touch", str(proof)]),
        Calling(eval, f"open({str(proof)!r}, 'w')"), Calling(open, str(proof), "w"),
        Calling(exec, f"open({str(proof)!r}, 'w')"), Calling(__import__, "antigravity"),
    )  # fmt: skip
    content = pickle.dumps({"user_data": {11: {"calls": list(calls), "n": 1}}}, protocol)
    items, report = brought(content, tmp_path)
    assert not proof.exists()
    assert "antigravity" not in sys.modules
    # It would have been, had anybody called it.
    assert sum(said.count for said in report.skipped.values()) == len(calls)
    assert isinstance(items[1], Remembered)
    assert json.loads(items[1].state) == {"data": {"calls": [None] * len(calls), "n": 1}}
    pickle.loads(pickle.dumps(calls[3]))  # noqa: S301 - to see that it is a real one
    assert proof.exists()


@pytest.mark.parametrize(
    "opcodes",
    [
        b"cantigravity\nfly_from_here\n", b"\x8c\x0bantigravity\x8c\x03fly\x93", b"cos\nsystem\n(\x8c\x02lst1i",
        b"(cos\nsystem\n\x8c\x02lso", b"cos\nsystem\n\x8c\x02ls\x85R\x8c\x01a}b",
        b"cbuiltins\ngetattr\ncos\nsystem\n\x8c\x08__call__\x86R",
        b"ccopyreg\n__newobj__\n(cos\nsystem\n\x8c\x02lstR", b"cos\nsystem\n\x8c\x02ls\x85}\x92",
        b"ccollections\ndefaultdict\ncos\nsystem\n\x85R",
    ],
)  # fmt: skip
def test_no_opcode_leads_to_a_call_or_an_import(tmp_path: Path, opcodes: bytes) -> None:
    try:
        items, report = brought(of_ann(opcodes), tmp_path)
    except InputError:
        pass
    else:
        assert not any(isinstance(item, Remembered) and b"!" in item.state for item in items)
        assert report.skipped
    assert "antigravity" not in sys.modules


def test_what_is_nested_deep_is_left_out_and_ends_nobody(tmp_path: Path) -> None:
    depth = 200_000
    for deep in (
        b"]" * depth + b"a" * (depth - 1),
        b")" + b"\x85" * depth,
        b"}" + b"\x8c\x01a}" * depth + b"s" * depth,
    ):
        _, report = brought(of_ann(deep), tmp_path)
        assert [said.samples for said in report.skipped.values()] != []
    with pytest.raises(InputError):
        # A tuple is hashed with all that is in it, on the stack of C.
        read_pickle(b"\x80\x04})" + b"\x85" * depth + b"K\x01s.")
    itself = b"]\x94h\x00a"
    _, report = brought(of_ann(itself), tmp_path)
    assert any("containing itself" in why for why in report.skipped)


def test_what_refers_to_itself_again_and_again_does_not_grow(tmp_path: Path) -> None:
    def doubled(kind: bytes, levels: int = 60) -> bytes:
        gets = (b"h" + bytes([level]) for level in range(levels))
        return b")\x94" + b"".join(b"0" + get + get + kind + b"\x94" for get in gets)

    began = time.monotonic()
    _, report = brought(of_ann(doubled(b"\x86")), tmp_path)
    assert any(why.startswith("larger than a row") for why in report.skipped)
    with pytest.raises(InputError):
        read_pickle(b"\x80\x04}" + doubled(b"\x86") + b"K\x01s.")
    bomb = doubled(b"\x86", 20)
    many = b"\x80\x04}\x8c\x09user_data}" + b"".join(
        b"M" + struct.pack("<H", 1 + person) + b"}\x8c\x01x" + (b"h\x14" if person else bomb) + b"ss"
        for person in range(2000)
    )  # fmt: skip
    with pytest.raises(InputError, match="unfolds to far more"):
        brought(many + b"s.", tmp_path)
    assert time.monotonic() - began < SECONDS


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x80", b"\x80\x04.", b"\x80\x04]", b"\x80\x04K\x01K\x02.", b"\x80\x04(.", b"\x80\x04h\x05.",
        b"\x80\x04a.",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40), b"\x80\x05\x96" + struct.pack("<Q", 2**62) + b"x.",
        b"\x80\x04]r\xff\xff\xff\xff",  b"\x80\x04\x82\x01.", b"\x80\x05\x97.", b"L" + b"9" * 100_000 + b"L\n.",
        b"\x80\x04}]K\x01s.", b"\x80\x04Kt",
    ],
)  # fmt: skip
def test_what_is_broken_is_refused_in_a_sentence_and_takes_no_memory(content: bytes) -> None:
    with pytest.raises(InputError, match="file: cannot be read as a pickle"):
        read_pickle(content)


def test_whatever_is_changed_in_a_pickle_nothing_but_a_refusal_comes_of_it(tmp_path: Path) -> None:
    chance = random.Random(5)
    kept = {"user_data": {11: {"a": [1, (2, "x")], "b": {"c": 2.5}, "d": {1, 2}, "e": Calling(print, "called")}}}
    for protocol in (0, 2, 4, 5):
        content = pickle.dumps(kept, protocol)
        for _ in range(500):
            changed = bytearray(content)
            for _ in range(chance.randint(1, 4)):
                changed[chance.randrange(len(changed))] = chance.randrange(256)
            try:
                brought(bytes(changed), tmp_path)
            except InputError:
                continue


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return target.getvalue()


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("people.json")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            zipped(("0.zip", zipped(("0.zip", zipped(("0.dll", bytes(10_000)))))), ("people.json", b"[]")),
            "an archive in it",
        ),
        (zipped(("people.json", b"\x1f\x8b" + bytes(50))), "an archive in it"),
        (zipped((link(), b"/etc/passwd")), "a link in it"),
        (zipped(*((str(number), b"") for number in range(10_001))), "more than 10000 entries"),
        (zipped(("people.json", b'[{"user_id": 1}]'), method=zipfile.ZIP_LZMA), "unusual way"),
        (zipped(("people.json", b'[{"user_id": 1}]'))[:-30], "cannot be unpacked"),
        (b"PK\x03\x04" + bytes(100), "cannot be unpacked"),
        (b"7z\xbc\xaf\x27\x1c" + bytes(100), "packed in a way that is not taken"),
    ],
)
def test_archives_that_are_more_than_plain_files_are_refused(content: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        records(content)


def test_an_encrypted_entry_is_refused() -> None:
    content = bytearray(zipped(("people.json", b"[]")))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(InputError, match="encrypted"):
        records(bytes(content))


def test_names_that_lead_elsewhere_lead_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = ("../../outside.json", "/etc/outside.json", "C:\\outside.json", "a\x01b\n.json", "..")
    items, _ = records(zipped(*((name, b'{"user_id": %d}' % number) for number, name in enumerate(names, 1))))
    assert len(items) == len(names)
    assert list(tmp_path.rglob("*")) == []


def test_a_gibibyte_of_zeros_is_given_up_long_before(tmp_path: Path) -> None:
    began = time.monotonic()
    piece = bytes(1 << 20)
    with zipfile.ZipFile(tmp_path / "zeros.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, begin in (("lines.json", b"{"), ("table.csv", b"user_id\n"), ("list.json", b"[")):
            with archive.open(name, "w") as entry:
                entry.write(begin)
                for _ in range(1024 if name == "lines.json" else 1):
                    entry.write(piece)
    packed = (tmp_path / "zeros.zip").read_bytes()
    with pytest.raises(InputError, match="unpacks to more than"):
        records(packed)
    for begin in (b"", b"[", b"user_id\n"):
        with (tmp_path / "zeros").open("wb") as sparse:
            sparse.write(begin)
            sparse.truncate(1 << 30)
        with (tmp_path / "zeros").open("rb") as file, pytest.raises(InputError):
            list(RecordFile(file, Report(), Manner()).items())
    assert time.monotonic() - began < SECONDS


def test_what_a_whole_archive_unpacks_to_is_limited_and_not_each_entry_alone() -> None:
    spaces = b'{"user_id": 1}' + b" " * 900_000
    with pytest.raises(InputError, match="unpacks to more than"):
        records(zipped(*((str(number), spaces) for number in range(10))))


def test_json_that_is_nested_deep_is_left_out() -> None:
    deep = b"[" * 100_000
    for content in (
        b'{"user_id": 1}\n{"user_data": ' + deep + b"\n",
        b'{"user_id": 1, "user_data": {"a": ' + b"[" * 500 + b"]" * 500 + b"}}",
    ):
        items, report = records(content)
        assert not any(isinstance(item, Remembered) for item in items)
        assert report.skipped
    with pytest.raises(InputError):
        records(b"[" + deep)


@pytest.mark.parametrize(
    "value",
    [
        {"!": "named", "of": "os:system"}, {"!": "shop:Cart", "items": []}, {"!": "as", "name": "cart", "of": 1},
        {"!": "telegram:ext.Application"}, {"!": "telegram:Bot", "token": "1:A"},
        {"!": "Fraction", "of": "1e999999999"}, {"!": "pattern", "of": "(a+)+$", "flags": 0},
        {"!": "defaultdict", "of": [], "factory": {"!": "named", "of": "os:system"}},
        {"!": 5}, {"!": "os:system", "of": 1}, {"!": "member", "of": "os:system", "value": "ls"},
    ],
)  # fmt: skip
def test_memory_that_names_code_is_taken_from_the_operator_only(value: dict[str, Any]) -> None:
    state = {"format": 1, "data": {"bad": value, "nested": [value, {"!": "set", "of": [1]}], "n": 1}}
    line = json.dumps({"scope": "user", "key": "11", "state": state}).encode()
    (item,), report = records(line)
    assert isinstance(item, Remembered)
    assert json.loads(item.state) == {"format": 1, "data": {"nested": [None, {"!": "set", "of": [1]}], "n": 1}}
    assert sum(said.count for said in report.skipped.values()) == 2


def test_plain_json_never_becomes_an_object() -> None:
    line = json.dumps({"user_id": 11, "user_data": {"x": {"!": "named", "of": "os:system"}}}).encode()
    _, item = records(line)[0]
    assert isinstance(item, Remembered)
    assert json.loads(item.state)["data"]["x"] == {"!": "dict", "of": [["!", "named"], ["of", "os:system"]]}


def test_a_pickle_that_is_uploaded_is_not_read_as_one() -> None:
    items, _ = records(pickle.dumps({"user_data": {11: {"n": 1}}}))
    assert items == []
