"""Every setting of Botyard: one typed object, read once from the environment, loud on a bad value."""

import re
from base64 import b64decode
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from botyard.errors import InputError
from botyard.public_address import is_loopback, unfit

_KEY_BYTES = 32
# Celery's hard limit lies above it, and below the ten minutes that a message may ask for.
_LONGEST_SLICE = 500
_PLACE = re.compile(r"[\w.\-]+(:\d{1,5})?|[\da-fA-F:.]+(/\d{1,3})?|\[[\da-fA-F:.]+\](:\d{1,5})?")
_PASSWORD = re.compile(r"://[^:/@]*:([^@/]+)@")
# What examples have in the place of secrets, ours in .env.example and those of others.
_SAMPLES = frozenset(
    ["password", "changeme", "change-me", "secret", "postgres", "redis", "botyard", "admin", "example", "test", "guest"]
)


def _is_sample(secret: str) -> bool:
    found = _PASSWORD.search(secret)
    password = found.group(1) if found else secret
    return password.casefold() in _SAMPLES or not set(password) - set("A=")


class Settings(BaseSettings):
    """The settings of one process; the variable is the field's name in capitals, ``.env`` is read too."""

    model_config = SettingsConfigDict(env_file=".env", env_file_encoding="utf-8", extra="ignore", allow_inf_nan=False)

    environment: Literal["development", "staging", "production"] = "development"
    state_dir: Path = Path(".botyard")
    """Where `make run` keeps its servers' data, generated secrets and logs."""

    # --- where the state lives ---
    database_url: SecretStr | None = None
    """PostgreSQL as the application role: row-level security applies to it."""
    database_system_url: SecretStr | None = None
    """PostgreSQL as the system role, which sees every customer: dispatch, retention, backup."""
    database_owner_url: SecretStr | None = None
    """PostgreSQL as the owner of the tables: migrations only."""
    database_pool_size: int = Field(4, ge=1, le=100)
    redis_url: SecretStr | None = None
    """Redis 7.0 or newer, or Valkey: mailboxes, leases, limits, and Celery's queues."""
    broker_url: SecretStr | None = None
    """RabbitMQ, for Celery's queues; none: they are in Redis."""
    durability: Literal["process", "machine"] = "process"
    secret_key: SecretStr | None = None
    """Keys that seal bots' secrets at rest, newest first, separated by commas or lines."""
    secret_key_file: Path | None = None
    """A file with these keys, read when they are needed."""
    secret_key_command: SecretStr | None = None
    """A command whose standard output are these keys."""

    # --- web ---
    web_host: str = "127.0.0.1"
    web_port: int = Field(8080, ge=1, le=65535)
    web_workers: int = Field(1, ge=1, le=64)
    webhook_base_url: str | None = None
    """The address at which Telegram (or the simulator) reaches this web process; none: no webhook is set."""
    trusted_proxies: str | None = None
    """Networks of proxies whose ``X-Forwarded-For`` is believed, separated by commas; none: those of this machine."""
    metrics_token: SecretStr | None = None
    """Who asks for /metrics from another machine shows this as a bearer token."""
    api_rate: int = Field(600, ge=0)
    """Requests a minute to the REST API by one API key, or by one person who is signed in; 0: no limit."""
    api_rate_customer: int = Field(3000, ge=0)
    """The same by everybody together who acts for one customer only."""
    api_rate_anonymous: int = Field(30, ge=0)
    """The same by strangers, from one address."""
    cors_origins: str | None = None
    """Origins whose pages may use the REST API from a browser, separated by commas; none: only its own."""

    # --- Telegram ---
    bot_token: SecretStr | None = None
    """A bot that `botyard run` adds and connects beside the demo bot."""
    bot_kind: str = "demo"
    """The kind of that bot: an installed one, or package.module:function."""
    api_url: str = "https://api.telegram.org"
    """The Bot API for bots that name none of their own."""
    public_url: str | None = None
    """The https address at which Telegram reaches this machine; none: updates are fetched."""
    take_over: bool = False
    """Whether a bot may be connected whose updates go to another address now."""
    test_mode: bool = False
    """Whether sends reach only the chats of ``test_chats``."""
    test_chats: str | None = None
    """Ids or @names of chats, separated by commas."""
    first_contacts: str = "*=20/600"
    """How many bots a Bot API may hear of for the first time, as ``host=a minute/an hour`` with commas between."""
    removed_data_days: int = Field(30, ge=0, le=3650)
    """For so many days what is kept of a removed customer stays, and the removal can be taken back; 0: not at all."""
    history_days: int = Field(365, ge=0)
    events_days: int = Field(90, ge=0)
    occurrences_days: int = Field(90, ge=0)
    dead_letters_days: int = Field(90, ge=0)
    """For so many days messages, events, what schedules sent and dead letters with their bodies are kept; 0: always."""
    webhook_secret_days: int = Field(30, ge=0)
    """After so many days a webhook gets another secret; 0: never."""
    backup_time: str = Field("02:00", pattern=r"^(never|([01]\d|2[0-3]):[0-5]\d)$")
    """When each night's backup is made, as ``02:00``; or ``never``."""
    backup_zone: str = "UTC"
    """The time zone of that."""
    backup_dir: Path | None = None
    """Where backups are kept; none: in the state folder."""
    backup_verify_url: SecretStr | None = None
    """A PostgreSQL server on which a backup may be proven in a database of its own; none: ``DATABASE_OWNER_URL``."""
    backup_recipient: str | None = None
    """The public key of age, ``age1…``, for which backups that leave this machine are encrypted."""
    backup_s3_url: str | None = None
    """Where the S3 server is to which they go, without the bucket; none: they stay here."""
    backup_s3_bucket: str | None = None
    backup_s3_region: str = "us-east-1"
    backup_s3_access_key: SecretStr | None = None
    backup_s3_secret_key: SecretStr | None = None
    simulator_host: str = "127.0.0.1"
    simulator_port: int = Field(8081, ge=1, le=65535)

    # --- Telegram publishes no exact limits: these are the customary ones ---
    limit_private_burst: int = Field(3, ge=1)
    limit_private_per_second: float = Field(1.0, gt=0)
    limit_group_per_minute: int = Field(20, ge=1)
    limit_bulk_per_second: float = Field(30.0, gt=0)
    limit_paid_per_second: float = Field(1000.0, gt=0)
    limit_forward_weight: int = Field(2, ge=1)
    limit_refused_chats: int = Field(3, ge=1)
    """So many chats of a bot, refused with 429 within ``limit_refused_seconds``, close the whole bot."""
    limit_refused_seconds: int = Field(10, ge=1)
    limit_careful_seconds: int = Field(60, ge=0)
    """For so long after it was closed, all messages of a bot are spaced like bulk."""

    # --- mailbox protocol; the constraints between the times stand in docs/mailbox.md ---
    lease_seconds: float = Field(9.0, gt=0)
    ticket_queued_seconds: float = Field(10.0, gt=0)
    ticket_running_seconds: float = Field(10.0, gt=0)
    clock_seconds: float = Field(0.1, gt=0)
    handler_timeout_seconds: float = Field(45.0, gt=0)
    slice_seconds: float = Field(2.0, gt=0)
    slice_updates: int = Field(250, ge=1)
    slice_chats: int = Field(64, ge=1)
    max_attempts: int = Field(3, ge=1)
    backoff_seconds: float = Field(2.0, gt=0)
    bot_idle_seconds: float = Field(600.0, gt=0)
    """After so long without an update a process lets go of a bot's application; the next one builds it anew."""
    share: int = Field(1, ge=1)
    """Tickets of one bot in flight at most: half of the workers' children, so that no bot holds them all."""
    mailbox_cap: int = Field(10_000, ge=1)
    """Updates waiting in all mailboxes of one bot; beyond it its webhook answers 503."""
    mailbox_calm: int = Field(500, ge=0)
    """Above so many its webhook acknowledges later, so that Telegram brings the next ones later."""
    api_timeout_seconds: float = Field(8.0, gt=0)

    # --- files that bots send, until they are sent ---
    media_dir: Path | None = None
    """The folder that all processes share; none: ``media`` in ``state_dir``."""
    media_max_bytes: int = Field(52_428_800, ge=1)
    """The largest file that is kept; Telegram has limits of its own."""
    media_keep_hours: int = Field(48, ge=2)
    """How long content is kept that nobody sends any more."""
    media_s3_url: str | None = None
    """A server that speaks S3, for processes on several machines; none: the folder."""
    media_s3_bucket: str | None = None
    media_s3_region: str = "us-east-1"
    media_s3_access_key: SecretStr | None = None
    media_s3_secret_key: SecretStr | None = None

    # --- calling addresses that customers name ---
    outbound_allowed: str | None = None
    """Names, addresses and networks that may be called although they are inside, separated by commas; none: none."""

    # --- watching ---
    failure_notes_url: str | None = None
    """Where a note about each failed handler is posted to: the simulator's page shows it beside the chat."""
    sentry_dsn: SecretStr | None = None
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["console", "json"] = "console"
    flower_host: str = "127.0.0.1"
    flower_port: int = Field(5555, ge=1, le=65535)
    flower_user: str = "botyard"
    flower_password: SecretStr | None = None

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object, info: object) -> object:
        # An empty line in a .env file means "not set"; for a field with a default that is the default.
        if value == "" and (name := getattr(info, "field_name", None)):
            return cls.model_fields[name].get_default()
        return value

    @field_validator("public_url")
    @classmethod
    def _public_url_is_fit(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None and (problem := unfit(value, info.data.get("api_url", ""))):
            raise ValueError(problem)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, value: str | None) -> str | None:
        for network in value.split(",") if value else ():
            if not ip_network(network.strip()).prefixlen:
                raise ValueError("must not be everybody: whoever calls could say to be anybody")
        return value

    @property
    def trusted_networks(self) -> list[IPv4Network | IPv6Network]:
        """The networks of ``TRUSTED_PROXIES``."""
        return [ip_network(network.strip()) for network in (self.trusted_proxies or "").split(",") if network.strip()]

    @field_validator("cors_origins")
    @classmethod
    def _origins_are_origins(cls, value: str | None) -> str | None:
        for origin in value.split(",") if value else ():
            if not re.fullmatch(r"https?://[a-z0-9.\-]+(:\d{1,5})?|https?://\[[0-9a-f:]+\](:\d{1,5})?", origin.strip()):
                raise ValueError(
                    "must be origins as a browser names them, separated by commas, as https://panel.example.org"
                )
        return value

    @field_validator("outbound_allowed")
    @classmethod
    def _allowed_are_places(cls, value: str | None) -> str | None:
        for place in value.split(",") if value else ():
            if not _PLACE.fullmatch(place.strip()):
                raise ValueError("must be names, addresses or networks with commas between, as hooks.test,10.0.0.0/8")
        return value

    @field_validator("test_chats")
    @classmethod
    def _chats_are_chats(cls, value: str | None) -> str | None:
        for chat in value.split(",") if value else ():
            if not re.fullmatch(r"-?\d+|@\w+", chat.strip()):
                raise ValueError("must be ids of chats or @names, separated by commas, as 123456789,-1001234567890")
        return value

    @field_validator("first_contacts")
    @classmethod
    def _contacts_are_rules(cls, value: str) -> str:
        for rule in value.split(","):
            if not re.fullmatch(r"[^=,\s]+=\d+/\d+", rule.strip()):
                raise ValueError("must be rules like *=20/600: a host, how many a minute and an hour, 0 for no limit")
        return value

    def first_contacts_of(self, host: str) -> tuple[int, int] | None:
        """How many bots the Bot API at this host may hear of for the first time, a minute and an hour; none: no limit.

        A rule for every host does not mean those of this machine.
        """
        rules = dict(rule.strip().split("=") for rule in self.first_contacts.split(","))
        found = rules.get(host) or ("0/0" if is_loopback(host) else rules.get("*", "0/0"))
        minute, hour = map(int, found.split("/"))
        return (minute, hour) if minute or hour else None

    @property
    def origins(self) -> list[str]:
        """The origins of ``CORS_ORIGINS``."""
        return [origin.strip() for origin in (self.cors_origins or "").split(",") if origin.strip()]

    @property
    def test_chat_ids(self) -> list[str]:
        """The chats of ``TEST_CHATS``."""
        return [chat.strip() for chat in (self.test_chats or "").split(",") if chat.strip()]

    @property
    def backup_folder(self) -> Path:
        """Where backups are kept."""
        return self.backup_dir or self.state_dir / "backups"

    @property
    def media_folder(self) -> Path:
        """Where files are kept, unless in a bucket."""
        return self.media_dir or self.state_dir / "media"

    @field_validator("secret_key")
    @classmethod
    def _keys_are_keys(cls, value: SecretStr | None) -> SecretStr | None:
        key_bytes(value.get_secret_value() if value else "")
        return value

    @model_validator(mode="after")
    def _keys_come_from_one_place(self) -> Self:
        named = [name for name in ("secret_key", "secret_key_file", "secret_key_command") if getattr(self, name)]
        if len(named) > 1:
            raise ValueError(
                f"{' and '.join(named).upper().replace(' AND ', ' and ')} are set: only one of them may be"
            )
        return self

    @model_validator(mode="after")
    def _no_secret_is_from_an_example(self) -> Self:
        for name in type(self).model_fields if self.environment != "development" else ():
            value = getattr(self, name)
            if isinstance(value, SecretStr) and _is_sample(value.get_secret_value()):
                raise ValueError(f"{name.upper()} has the password of an example: choose one at random")
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if self.broker_url and not self.broker_url.get_secret_value().startswith(("amqp://", "amqps://")):
            raise ValueError("BROKER_URL must begin with amqp:// or amqps://; without it REDIS_URL is the broker")
        if self.ticket_running_seconds < self.lease_seconds:
            raise ValueError("TICKET_RUNNING_SECONDS must not be shorter than LEASE_SECONDS")
        if self.slice_seconds + self.handler_timeout_seconds > _LONGEST_SLICE:
            raise ValueError("SLICE_SECONDS and HANDLER_TIMEOUT_SECONDS together must stay below 500")
        if self.backup_zone not in available_timezones():
            raise ValueError("BACKUP_ZONE is no time zone: write it as Europe/Berlin, or UTC")
        return self

    @property
    def webhook_address(self) -> str | None:
        """What the Bot API of ``API_URL`` is given as this installation's address; none: updates are fetched.

        Telegram reaches no loopback. `botyard run` sets one as ``WEBHOOK_BASE_URL``, for its own simulator only.
        """
        base = self.webhook_base_url
        if self.public_url is not None or base is None or not is_loopback(urlsplit(base).hostname):
            return self.public_url or base
        here = {f"{host}:{self.simulator_port}" for host in ("127.0.0.1", "localhost", "[::1]", self.simulator_host)}
        return base if urlsplit(self.api_url).netloc in here else None

    def webhook_address_for(self, api_url: str) -> str | None:
        """What this Bot API is given as this installation's address; none: it reaches none.

        A loopback address is for the simulator of this machine only, as in `webhook_address`.
        """
        base = self.webhook_base_url
        if base is None or not is_loopback(urlsplit(base).hostname):
            return self.public_url or base
        here = {f"{host}:{self.simulator_port}" for host in ("127.0.0.1", "localhost", "[::1]", self.simulator_host)}
        return base if urlsplit(api_url).netloc in here else self.public_url

    def require(self, field: str) -> str:
        """The value of an optional setting that this process cannot do without.

        Raises:
            InputError: it is not set.
        """
        value = getattr(self, field)
        if value is None:
            raise InputError(field.upper(), "is not set.", "Set it in the environment or in .env; see .env.example.")
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def key_bytes(text: str) -> list[bytes]:
    """The keys in a text, each as its 32 bytes: they are written as URL-safe base64.

    Raises:
        ValueError: one of them is no key; it is not repeated.
    """
    keys = []
    for word in filter(None, re.split(r"[,\s]+", text)):
        try:
            key = b64decode(word, altchars=b"-_", validate=True)
        except ValueError:
            key = b""
        if len(key) != _KEY_BYTES:
            raise ValueError("is not a Fernet key; make one with `botyard keys generate`")
        keys.append(key)
    return keys


def unreadable(error: UnicodeDecodeError | OSError) -> InputError:
    """Why ``.env`` cannot be read."""
    if isinstance(error, UnicodeDecodeError):
        return InputError(".env", f"is not UTF-8 (at byte {error.start}).", "Save it as UTF-8.")
    return InputError(".env", f"cannot be read ({error.strerror}).", "Let this user read it.")


def read_settings() -> Settings:
    """Read the environment now.

    Raises:
        InputError: a value is bad, or ``.env`` cannot be read; the value itself is not repeated, it may be a secret.
    """
    try:
        return Settings()
    except (UnicodeDecodeError, OSError) as error:
        raise unreadable(error) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = str(first["loc"][0]).upper() if first["loc"] else "settings"
        raise InputError(field, first["msg"].removeprefix("Value error, ") + ".") from None


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process, read at the first call."""
    return read_settings()
