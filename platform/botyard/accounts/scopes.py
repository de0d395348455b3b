"""What an API key may be limited to. A key without scopes may do whatever its person may."""

from enum import StrEnum

from botyard.errors import InputError


class Scope(StrEnum):
    """A group of acts; to write something includes nothing else, not even to read it."""

    ACCOUNT_READ = "account:read"
    """Customers, members, invitations, audit."""
    ACCOUNT_WRITE = "account:write"
    BOTS_READ = "bots:read"
    """Bots, their health, configurations, lanes, dead letters."""
    BOTS_WRITE = "bots:write"
    """Adding, changing, pausing and removing them; replaying dead letters."""
    MESSAGES_READ = "messages:read"
    MESSAGES_SEND = "messages:send"
    USERS_READ = "users:read"
    USERS_WRITE = "users:write"
    """Also importing and erasing them."""
    EVENTS_READ = "events:read"
    ENDPOINTS_WRITE = "endpoints:write"
    """Addresses to which events are sent, and what became of each."""
    KEYS_WRITE = "keys:write"
    """Making and revoking API keys, ending sign-ins, one's password."""

    @classmethod
    def named(cls, name: str) -> "Scope":
        """The scope of this name.

        Raises:
            InputError: there is none.
        """
        try:
            return cls(name)
        except ValueError:
            raise InputError("scopes", f"{name!r} is no scope.", f"Choose from: {', '.join(cls)}.") from None
