"""Sending what needs no file: locations, venues, contacts, dice."""

from botyard.simulator.errors import bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.sending import deliver
from botyard.simulator.model import Json
from botyard.simulator.params import Params

LIVE_PERIODS = range(60, 86_401)
"""Seconds for which a location can be live."""
FOREVER = 0x7FFFFFFF
"""``live_period`` of a location that is live until it is stopped."""
HEADINGS = range(1, 361)
PROXIMITY_RADII = range(1, 100_001)
"""Metres."""
LARGEST_UNCERTAINTY = 1500.0
"""Metres of ``horizontal_accuracy``."""
DICE = {"🎲": 6, "🎯": 6, "🎳": 6, "🏀": 5, "⚽": 5, "🎰": 64}
"""Highest value by emoji."""
VENUE_TEXTS = ("foursquare_id", "foursquare_type", "google_place_id", "google_place_type")


@method("sendLocation")
def send_location(call: Call) -> Json:
    """Send a point on the map, which may be live, and return it as a ``Message``."""
    location = read_location(call.params)
    period = call.params.integer("live_period", 0)
    if period:
        if period not in LIVE_PERIODS and period != FOREVER:
            raise bad_request("wrong live location period specified")
        location["live_period"] = period
        location |= read_movement(call.params)
    return deliver(call, {"location": location})


@method("sendVenue")
def send_venue(call: Call) -> Json:
    """Send a place with its address and return it as a ``Message``."""
    params = call.params
    venue: Json = {"location": read_location(params)}
    for name in ("title", "address"):
        venue[name] = params.text(name)
        if not venue[name].strip():
            raise bad_request(f"venue {name} must be non-empty")
    venue |= {name: params.text(name) for name in VENUE_TEXTS if params.text(name)}
    return deliver(call, {"venue": venue, "location": venue["location"]})


@method("sendContact")
def send_contact(call: Call) -> Json:
    """Send somebody's phone number and return it as a ``Message``."""
    params = call.params
    contact: Json = {name: params.text(name) for name in ("phone_number", "first_name")}
    if not contact["phone_number"].strip():
        raise bad_request("PHONE_NUMBER_INVALID")
    if not contact["first_name"].strip():
        raise bad_request("first name must be non-empty")
    contact |= {name: params.text(name) for name in ("last_name", "vcard") if params.text(name)}
    return deliver(call, {"contact": contact})


@method("sendDice")
def send_dice(call: Call) -> Json:
    """Throw a dice and return it as a ``Message``."""
    emoji = (call.params.text("emoji") or "🎲").replace("\ufe0f", "")
    if emoji not in DICE:
        raise bad_request("DICE_EMOJI_INVALID")
    return deliver(call, {"dice": {"emoji": emoji, "value": call.world.random.randint(1, DICE[emoji])}})


def read_location(params: Params) -> Json:
    """Return ``latitude`` and ``longitude`` as a ``Location``.

    Raises:
        ApiError: they are no point on the earth.
    """
    location = {"latitude": params.number("latitude", 0.0), "longitude": params.number("longitude", 0.0)}
    if abs(location["latitude"]) > 90 or abs(location["longitude"]) > 180:
        raise bad_request("wrong location specified")
    accuracy = min(max(params.number("horizontal_accuracy", 0.0), 0.0), LARGEST_UNCERTAINTY)
    return location | ({"horizontal_accuracy": accuracy} if accuracy else {})


def read_movement(params: Params) -> Json:
    """Return the fields of a live ``Location`` that tell where it goes."""
    movement: Json = {}
    for name, allowed in (("heading", HEADINGS), ("proximity_alert_radius", PROXIMITY_RADII)):
        value = params.integer(name, 0)
        if value and value not in allowed:
            raise bad_request(
                "wrong live location heading specified" if name == "heading" else f"wrong {name} specified"
            )
        if value:
            movement[name] = value
    return movement
