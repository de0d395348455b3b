"""Every table, so that whoever imports this package has the whole metadata."""

from db.models.base import Base
from db.models.bots import Bot, BotConfiguration, BotDay, BotHealth, BotIdentity, BotSecret, Customer
from db.models.chats import Chat
from db.models.events import Event
from db.models.jobs import Job
from db.models.journal import JournalRow, Keyboard
from db.models.media import Media
from db.models.outbox import OutboxRow
from db.models.people import AccessToken, AuditEntry, Membership, Person
from db.models.updates import Conversation, DeadLetter, InboxRow, Message

__all__ = [
    "AccessToken",
    "AuditEntry",
    "Base",
    "Bot",
    "BotConfiguration",
    "BotDay",
    "BotHealth",
    "BotIdentity",
    "BotSecret",
    "Chat",
    "Conversation",
    "Customer",
    "DeadLetter",
    "Event",
    "InboxRow",
    "Job",
    "JournalRow",
    "Keyboard",
    "Media",
    "Membership",
    "Message",
    "OutboxRow",
    "Person",
]
