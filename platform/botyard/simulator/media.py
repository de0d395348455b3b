"""The kinds of files a message can show, and taking one in: its limits, its fields, its place in the vault."""

import mimetypes
from dataclasses import dataclass
from typing import Final

from botyard.simulator.errors import ApiError, bad_request
from botyard.simulator.forms import Upload
from botyard.simulator.images import picture_size
from botyard.simulator.model import File, Json
from botyard.simulator.world import World

UPLOAD_LIMIT = 50 << 20
"""Bytes of a file that a bot sends (Bot API, "Sending files")."""
PHOTO_LIMIT = 10 << 20
"""Bytes of a photo that a bot sends."""
DOWNLOAD_LIMIT = 20 << 20
"""Bytes of a file that a bot fetches (Bot API, getFile)."""
LONGEST_SIDES = 10_000
"""Width and height of a photo together, in pixels."""
LARGEST_RATIO = 20
SMALL_SIDE = 90
"""Longer side of the smallest size of a photo, in pixels."""
STICKER_SIDE = 512


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file.

    Args:
        name: its field in a ``Message``.
        type: what Telegram's refusals call it.
        folder: where its files lie.
        ending: of a file whose name is not known.
        mime_type: of such a file; without one its Telegram type has none.
        numbers: fields of its Telegram type that are always there; 0 when the sender does not tell.
        texts: fields of its Telegram type that the sender may tell.
        named: whether it shows the name of the file.
        captioned: whether it can have a caption.
    """

    name: str
    type: str
    folder: str
    ending: str
    mime_type: str = ""
    numbers: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    named: bool = False
    captioned: bool = True


_FRAME = ("width", "height", "duration")
KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind("photo", "Photo", "photos", ".jpg"),
        Kind("audio", "Audio", "music", ".mp3", "audio/mpeg", ("duration",), ("performer", "title"), named=True),
        Kind("document", "Document", "documents", "", "application/octet-stream", named=True),
        Kind("video", "Video", "videos", ".mp4", "video/mp4", _FRAME, named=True),
        Kind("animation", "Animation", "animations", ".mp4", "video/mp4", _FRAME, named=True),
        Kind("voice", "VoiceNote", "voice", ".oga", "audio/ogg", ("duration",)),
        Kind("video_note", "VideoNote", "video_notes", ".mp4", "", ("length", "duration"), captioned=False),
        Kind("sticker", "Sticker", "stickers", ".webp", captioned=False),
        Kind("thumbnail", "Thumbnail", "thumbnails", ".jpg", captioned=False),
    )
}
"""By their field in a ``Message``; a thumbnail is a part of another file and never sent alone."""

RIGHTS = {
    "photo": ("can_send_photos", "photos"),
    "audio": ("can_send_audios", "music"),
    "document": ("can_send_documents", "documents"),
    "video": ("can_send_videos", "videos"),
    "animation": ("can_send_other_messages", "animations"),
    "voice": ("can_send_voice_notes", "voice notes"),
    "video_note": ("can_send_video_notes", "video notes"),
    "sticker": ("can_send_other_messages", "stickers"),
    "dice": ("can_send_other_messages", "dice"),
    "game": ("can_send_other_messages", "games"),
    "poll": ("can_send_polls", "polls"),
    "location": ("can_send_messages", "locations"),
    "venue": ("can_send_messages", "venues"),
    "contact": ("can_send_messages", "contacts"),
}
"""What a member needs to send some content, and what the refusal calls it; all else needs the right to write."""


def keep(world: World, kind: Kind, upload: Upload, told: Json | None = None, thumbnail: Json | None = None) -> File:
    """Take a file in.

    Args:
        world: whose vault keeps it.
        kind: what it shall be.
        upload: name, type and bytes.
        told: fields of its Telegram type that the sender tells, such as ``duration``.
        thumbnail: its thumbnail as a ``PhotoSize``.

    Returns:
        The file; of a photo the one with the largest size.

    Raises:
        ApiError: it is empty or too big, or no picture where one must be.
    """
    _check_length(kind, len(upload.content))
    if kind.name in {"photo", "thumbnail"}:
        return _keep_picture(world, kind, upload)
    file = _enter(world, kind, upload)
    shown = file.shown[0]
    told = told or {}
    shown.update({name: told.get(name, 0) for name in kind.numbers})
    shown.update({name: told[name] for name in kind.texts if told.get(name)})
    if kind.named and upload["file_name"]:
        shown["file_name"] = upload["file_name"]
    if kind.mime_type:
        shown["mime_type"] = _mime_type(kind, upload)
    if kind.name == "sticker":
        shown.update(_sticker(upload, told))
    if thumbnail:
        shown["thumbnail"] = thumbnail
    return file


def content_of(file: File) -> Json:
    """Return what a message with this file holds, in the fields of a ``Message``."""
    if file.kind == "photo":
        return {"photo": file.shown}
    if file.kind == "animation":
        # An animation shows as a document as well, for clients older than animations (Bot API, Message).
        plain = {name: value for name, value in file.shown[0].items() if name not in _FRAME}
        return {"animation": file.shown[0], "document": plain}
    return {file.kind: file.shown[0]}


def _check_length(kind: Kind, length: int) -> None:
    if not length:
        raise bad_request("file must be non-empty")
    if length > UPLOAD_LIMIT:
        raise ApiError(413, "Request Entity Too Large")
    if kind.name == "photo" and length > PHOTO_LIMIT:
        raise bad_request(
            f"file of size {length} bytes is too big for a photo; the maximum size is {PHOTO_LIMIT} bytes"
        )


def _keep_picture(world: World, kind: Kind, upload: Upload) -> File:
    """Take a photo in, with a small size of it beside a larger one."""
    size = picture_size(upload.content)
    if size is None or not all(size):
        raise bad_request("IMAGE_PROCESS_FAILED")
    width, height = size
    if width + height > LONGEST_SIDES or max(size) > LARGEST_RATIO * min(size):
        raise bad_request("PHOTO_INVALID_DIMENSIONS")
    file = _enter(world, kind, upload)
    file.shown[0].update(width=width, height=height)
    if kind.name == "photo" and max(size) > SMALL_SIDE:
        small = _enter(world, kind, upload, bytes_of=file.unique_id)
        scale = SMALL_SIDE / max(size)
        small.shown[0].update(width=max(1, round(width * scale)), height=max(1, round(height * scale)))
        file.shown = small.shown = [small.shown[0], file.shown[0]]
    return file


def _enter(world: World, kind: Kind, upload: Upload, *, bytes_of: str = "") -> File:
    """Give a file its id and its path, and lay its bytes into the vault."""
    unique_id = f"AQAD{world.ids.getrandbits(60):015x}"
    name = str(upload["file_name"])
    ending = kind.ending
    if kind.named and "." in name:
        ending = "".join(
            letter for letter in name[name.rfind(".") :] if letter == "." or (letter.isascii() and letter.isalnum())
        )
    size = len(upload.content)
    file = File(unique_id, kind.name, size, f"{kind.folder}/file_{unique_id}{ending}", bytes_of=bytes_of)
    file.shown = [{"file_unique_id": unique_id, "file_size": size}]
    world.files[unique_id] = file
    if not bytes_of:
        world.vault.put(unique_id, upload.content)
    world.revision += 1
    return file


def _mime_type(kind: Kind, upload: Upload) -> str:
    told = str(upload["mime_type"])
    if told and told not in {"application/octet-stream", "text/plain"}:
        return told
    guessed, _ = mimetypes.guess_type(upload["file_name"])
    return guessed or (told if kind.name == "document" and told else kind.mime_type)


def _sticker(upload: Upload, told: Json) -> Json:
    name = str(upload["file_name"]).lower()
    width, height = picture_size(upload.content) or (STICKER_SIDE, STICKER_SIDE)
    shown: Json = {
        "type": "regular",
        "width": width,
        "height": height,
        "is_animated": name.endswith(".tgs"),
        "is_video": name.endswith(".webm"),
    }
    if told.get("emoji"):
        shown["emoji"] = told["emoji"]
    return shown
