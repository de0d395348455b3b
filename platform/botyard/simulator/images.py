"""The type and size of a picture, from the first bytes of its file (PNG, JPEG, GIF, WebP), and a picture of nothing."""

import struct
import zlib

_STARTS = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_JPEG_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a JPEG that are followed by its size."""


def picture_type(data: bytes) -> str:
    """Return the MIME type of a picture, or nothing when the file is none."""
    for start, mime_type in _STARTS.items():
        if data.startswith(start):
            return mime_type
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""


def picture_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels, or nothing when the file is no picture."""
    try:
        kind = picture_type(data)
        if kind == "image/png":
            width, height = struct.unpack_from(">II", data, 16)
        elif kind == "image/gif":
            width, height = struct.unpack_from("<HH", data, 6)
        elif kind == "image/jpeg":
            return _jpeg(data)
        elif kind == "image/webp":
            return _webp(data)
        else:
            return None
    except (struct.error, IndexError):
        return None
    return int(width), int(height)


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while data[at] == 0xFF:
        marker, length = data[at + 1], struct.unpack_from(">H", data, at + 2)[0]
        if marker in _JPEG_SIZES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + length
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    return None


def blank_picture(width: int, height: int) -> bytes:
    """Return a grey PNG.

    Args:
        width: pixels.
        height: pixels.
    """
    rows = (b"\0" + b"\xc8" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body
