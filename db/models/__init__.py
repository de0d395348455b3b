"""Every table, so that whoever imports this package has the whole metadata."""

from db.models.backups import Backup
from db.models.base import Base
from db.models.bots import Bot, BotConfiguration, BotDay, BotHealth, BotIdentity, BotSecret, Customer
from db.models.chats import Chat
from db.models.endpoints import Endpoint, EndpointAttempt, EndpointMessage, EndpointSecret
from db.models.events import Event
from db.models.jobs import Job
from db.models.journal import JournalRow, Keyboard
from db.models.media import Media
from db.models.outbox import OutboxRow
from db.models.people import AccessToken, AuditEntry, Invitation, Membership, Person, SignIn
from db.models.requests import IdempotencyKey, Operation
from db.models.schedules import Occurrence, Schedule, ScheduleRun, ScheduleZone
from db.models.updates import Conversation, DeadLetter, InboxRow, Message
from db.models.users import BotUser

__all__ = [
    "AccessToken",
    "AuditEntry",
    "Backup",
    "Base",
    "Bot",
    "BotConfiguration",
    "BotDay",
    "BotHealth",
    "BotIdentity",
    "BotSecret",
    "BotUser",
    "Chat",
    "Conversation",
    "Customer",
    "DeadLetter",
    "Endpoint",
    "EndpointAttempt",
    "EndpointMessage",
    "EndpointSecret",
    "Event",
    "IdempotencyKey",
    "InboxRow",
    "Invitation",
    "Job",
    "JournalRow",
    "Keyboard",
    "Media",
    "Membership",
    "Message",
    "Occurrence",
    "Operation",
    "OutboxRow",
    "Person",
    "Schedule",
    "ScheduleRun",
    "ScheduleZone",
    "SignIn",
]
