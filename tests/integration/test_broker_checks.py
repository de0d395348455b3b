"""What doctor, the page of readiness and commands say of RabbitMQ as Celery's broker."""

import json
import time
from types import SimpleNamespace
from typing import cast

import pytest
import redis.asyncio
from fastapi import Request, Response
from kombu.exceptions import OperationalError

from botyard import cli
from botyard.checks.broker import broker_findings
from botyard.checks.doctor import examine
from botyard.checks.finding import Finding
from botyard.mailbox.protocol import DELIVER, Ticket
from botyard.mailbox.tickets import CeleryTickets, celery_producer
from botyard.settings import Settings, get_settings
from botyard.telemetry import metrics
from botyard.web.health import ready
from tests.queues import waiting
from tests.services import environment

AWAY = "amqp://botyard:hidden@127.0.0.1:1/"


def lost() -> dict[str, float]:
    """Tickets that this process has counted as lost since the last look, by their queue."""
    counted = [(json.loads(field), amount) for field, amount in metrics.take_pending().items()]
    return {labels["queue"]: amount for (name, _, labels), amount in counted if name == metrics.TICKETS_LOST.name}


def of_rabbitmq(found: list[Finding]) -> list[tuple[str, str, str]]:
    return [(one.state, one.says, one.remedy) for one in found if one.check == "RabbitMQ"]


def test_without_a_broker_of_its_own_nothing_is_said_of_one(settings: Settings) -> None:
    assert broker_findings(settings.model_copy(update={"broker_url": None})) == []


@pytest.mark.usefixtures("clean")
def test_doctor_says_that_it_is_away_and_what_to_do_and_shows_no_password() -> None:
    with environment({"BROKER_URL": AWAY}):
        found = examine(lambda _: None)
    says = "It cannot be reached (ConnectionRefusedError): updates are accepted, and wait."
    assert of_rabbitmq(found) == [("trouble", says, "Is it running, is BROKER_URL right?")]
    assert [one.state for one in found if one.check == "Redis"] == ["ok"]
    assert "hidden" not in str(found)


@pytest.mark.usefixtures("clean")
async def test_a_web_process_without_it_is_ready_and_says_so(async_valkey: "redis.asyncio.Redis") -> None:
    request = cast("Request", SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace(redis=async_valkey))))
    with environment({"BROKER_URL": AWAY}):
        response = Response()
        states = await ready(request, response)
    assert (response.status_code, states["broker"], states["redis"]) == (200, "unreachable", "ok")
    with environment({"BROKER_URL": ""}):
        assert "broker" not in await ready(request, response)


@pytest.mark.parametrize(("broker", "name"), [(AWAY, "RabbitMQ"), ("", "Redis")])
def test_a_command_that_cannot_reach_it_ends_with_one_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broker: str, name: str
) -> None:
    def command() -> None:
        raise OperationalError("[Errno 111] Connection refused")

    assert settings
    monkeypatch.setattr(cli, "app", command)
    with environment({"BROKER_URL": broker}), pytest.raises(SystemExit) as left:
        cli.main()
    said = f"botyard: {name} cannot be reached (OperationalError). `botyard doctor` says more.\n"
    assert (left.value.code, capsys.readouterr().err) == (3, said)


def test_the_one_of_the_settings_answers(settings: Settings) -> None:
    if get_settings().broker_url is None:
        pytest.skip("needs RabbitMQ: see `make test-rabbitmq`")
    ((state, says, _),) = of_rabbitmq(broker_findings(settings))
    assert (state, says.startswith("Version ")) == ("ok", True)


def test_a_ticket_that_nobody_took_is_counted(settings: Settings) -> None:
    lost()
    away = {"REDIS_URL": "redis://127.0.0.1:1/0", "BROKER_URL": "" if settings.broker_url is None else AWAY}
    with environment(away), pytest.raises(OperationalError):
        CeleryTickets(celery_producer()).send(Ticket(DELIVER, 1, "away", 0, "outbound"))
    assert lost() == {"outbound": 1}


def test_what_waited_longer_than_its_place_is_kept_is_not_sent_any_more(settings: Settings) -> None:
    tickets = CeleryTickets(celery_producer())
    lost()
    for lasts in (60_000, 500):
        tickets._try(Ticket(DELIVER, lasts, f"lasts {lasts}", 0, "outbound", lasts), time.monotonic() - 2)
    assert [message.args for message in waiting("outbound")] == [[60_000]]
    assert lost() == {"outbound": 1}
    assert settings
