"""Fetching files: getFile, profile photos."""

from botyard.simulator.errors import bad_request
from botyard.simulator.files import file_id, signed
from botyard.simulator.forms import Upload
from botyard.simulator.media import DOWNLOAD_LIMIT, KINDS, keep
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.uploads import file_of
from botyard.simulator.model import Json
from botyard.simulator.params import Params

LINK_SECONDS = 3600.0
"""How long a file can be downloaded after getFile (Bot API, getFile)."""
MOST_PHOTOS = 100


@method("getFile")
def get_file(call: Call) -> Json:
    """Return a ``File`` and let the bot download it for an hour."""
    file = file_of(call, call.params.text("file_id"), "invalid file_id")
    if file.size > DOWNLOAD_LIMIT:
        raise bad_request("file is too big")
    if call.world.vault.get(file.bytes_of or file.unique_id) is None:
        raise bad_request("wrong file_id or the file is temporarily unavailable")
    file.links[call.bot.id] = call.world.now() + LINK_SECONDS
    return {
        "file_id": file_id(call.bot.id, file.unique_id),
        "file_unique_id": file.unique_id,
        "file_size": file.size,
        "file_path": file.path,
    }


@method("getUserProfilePhotos")
def get_user_profile_photos(call: Call) -> Json:
    """Return the profile photos of a person or bot, newest first."""
    user_id = call.params.integer("user_id")
    offset, limit = call.params.integer("offset", 0), call.params.integer("limit", MOST_PHOTOS)
    user = call.world.people.get(user_id) or call.world.bots.get(user_id)
    if user is None:
        raise bad_request("user not found")
    start = max(offset, 0)
    photos = user.photos[start : start + min(max(limit, 1), MOST_PHOTOS)]
    return {"total_count": len(user.photos), "photos": signed(photos, call.bot.id)}


@method("setMyProfilePhoto")
def set_my_profile_photo(call: Call) -> bool:
    """Give the bot a new profile photo."""
    given = call.params.dictionary("photo")
    if given is None:
        raise bad_request("photo isn't specified")
    source = Params(given)
    if source.text("type") != "static":
        raise bad_request("invalid profile photo type specified")
    upload = call.params.values.get(source.text("photo").removeprefix("attach://"))
    if not isinstance(upload, Upload):
        raise bad_request("photo must be uploaded as a file")
    call.bot.photos.insert(0, keep(call.world, KINDS["photo"], upload).shown)
    return True


@method("removeMyProfilePhoto")
def remove_my_profile_photo(call: Call) -> bool:
    """Take the bot's newest profile photo away."""
    del call.bot.photos[:1]
    call.world.revision += 1
    return True
