"""Forum topics: the simulator has no forums, so each of these methods is refused as in any chat that is none."""

from botyard.simulator.errors import bad_request
from botyard.simulator.methods.call import Call, method

METHODS = (
    "createForumTopic",
    "editForumTopic",
    "closeForumTopic",
    "reopenForumTopic",
    "deleteForumTopic",
    "unpinAllForumTopicMessages",
    "editGeneralForumTopic",
    "closeGeneralForumTopic",
    "reopenGeneralForumTopic",
    "hideGeneralForumTopic",
    "unhideGeneralForumTopic",
    "unpinAllGeneralForumTopicMessages",
)


def refuse(call: Call) -> bool:
    """Refuse, in Telegram's words."""
    call.chat()
    raise bad_request("the chat is not a forum")


for name in METHODS:
    method(name)(refuse)
