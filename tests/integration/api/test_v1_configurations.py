"""``/api/v1/bots/{bot}/configuration`` and what belongs to it, against a bot whose kind checks its settings."""

import threading

import pytest
from starlette.testclient import TestClient

from botyard.accounts.roles import Role
from tests.factories import TELEGRAM_ID, TOKEN
from tests.integration.api.callers import Caller, House, house
from tests.integration.api.telegram import worker
from tests.security.test_token_canary import in_redis, in_the_database
from tests.services import Services

GREETER = "tests.integration.test_configuration:greeter"


@pytest.fixture
def own(web: TestClient, clean: Services) -> House:
    del web
    made = house("one", TELEGRAM_ID)
    clean.superuser(f"UPDATE bots SET kind = '{GREETER}'")  # noqa: S608
    return made


@pytest.fixture
def manager(web: TestClient, own: House) -> Caller:
    return Caller(web, own.tokens[Role.MANAGER])


def path_of(own: House, below: str = "configuration") -> str:
    return f"/v1/bots/bot_{own.bot.id}/{below}"


def test_what_no_kind_checks_is_changed_without_a_worker(own: House, manager: Caller, web: TestClient) -> None:
    first = manager.get(path_of(own))
    assert (first.body["number"], first.headers["etag"]) == (0, '"0"')
    assert first.body["configuration"]["answerCallbacks"] is True
    wanted = {"configuration": {"forgetAfter": 60, "adminChatId": "-1001", "features": {"loud": True}}, "note": "so"}
    changed = manager.ask("PATCH", path_of(own), wanted, {"If-Match": '"0"'})
    assert (changed.status, changed.body["number"], changed.headers["etag"]) == (200, 1, '"1"')
    assert changed.body["configuration"]["adminChatId"] == "-1001"
    merged = manager.patch(path_of(own), {"configuration": {"forgetAfter": None, "features": {"new": False}}}).body
    assert (merged["configuration"]["forgetAfter"], merged["number"]) == (0, 2)
    assert merged["configuration"]["features"] == {"loud": True, "new": False}
    whole = manager.put(path_of(own), {"configuration": {"retry": False}}).body["configuration"]
    assert (whole["retry"], whole["features"], whole["adminChatId"]) == (False, {}, None)
    history = Caller(web, own.tokens[Role.VIEWER]).get(path_of(own, "configurations?limit=2")).body
    assert [(one["number"], one["note"]) for one in history["items"]] == [(3, None), (2, None)]
    last = manager.get(history["next"].removeprefix("/api")).body
    assert ([one["note"] for one in last["items"]], last["next"]) == (["so"], None)
    assert last["items"][0]["configuration"]["forgetAfter"] == 60


def test_a_version_that_was_left_meanwhile_is_not_changed(own: House, manager: Caller, clean: Services) -> None:
    manager.patch(path_of(own), {"configuration": {"retry": False}})
    late = {"configuration": {"retry": True}}
    for method in ("PUT", "PATCH"):
        assert manager.ask(method, path_of(own), late, {"If-Match": '"0"'}).status == 412
        assert manager.ask(method, path_of(own), late, {"If-Match": None}).status == 428
    settings = {"configuration": {"settings": {"word": "Ho"}}}
    with worker(clean):
        assert manager.ask("PATCH", path_of(own), settings, {"If-Match": '"0"'}).status == 412
    assert manager.get(path_of(own)).body["number"] == 1


@pytest.mark.parametrize(
    ("configuration", "pointer"),
    [
        ({"forgetAfter": -1}, "/forgetAfter"),
        ({"forget_after": 5}, "/forget_after"),
        ({"nothing": 5}, "/nothing"),
        ({"features": {"x": "perhaps"}}, "/features/x"),
        ({"settings": {"word": TOKEN}}, "/settings/word"),
        ({"settings": {"word": "a\0b"}}, "/settings/word"),
        ({"settings": {"word": "x" * 20_000}}, "/settings"),
    ],
)
def test_what_cannot_be_configured_is_named_and_asks_no_worker(
    own: House, manager: Caller, clean: Services, configuration: dict[str, object], pointer: str
) -> None:
    answer = manager.patch(path_of(own), {"configuration": configuration})
    assert (answer.status, answer.body["errors"][0]["pointer"]) == (422, f"/configuration{pointer}")
    assert TOKEN not in str(answer.body)
    assert clean.superuser("SELECT count(*) FROM operations") == [(0,)]


def test_settings_are_checked_by_the_kind_in_a_worker(
    own: House, manager: Caller, web: TestClient, clean: Services
) -> None:
    with worker(clean):
        changed = manager.ask(
            "PATCH", path_of(own), {"configuration": {"settings": {"word": "Ho"}}}, {"If-Match": '"0"'}
        )
        wrong = manager.patch(path_of(own), {"configuration": {"settings": {"times": "many"}}})
        unknown = manager.put(path_of(own), {"configuration": {"settings": {"colour": "red"}}})
        schema = Caller(web, own.tokens[Role.VIEWER]).get(path_of(own, "schema"))
    assert (changed.status, changed.body["number"]) == (200, 1)
    assert changed.body["configuration"]["settings"] == {"word": "Ho"}
    assert (wrong.status, wrong.body["errors"][0]["pointer"]) == (422, "/configuration/settings/times")
    assert (unknown.status, unknown.body["errors"][0]["pointer"]) == (422, "/configuration/settings/colour")
    assert schema.status == 200
    assert (schema.body["kind"], set(schema.body["settings"]["properties"])) == (GREETER, {"word", "times"})
    ((person,),) = clean.superuser("SELECT actor FROM bot_configurations")
    assert person.startswith("person:")


def test_an_earlier_configuration_is_gone_back_to(own: House, manager: Caller, clean: Services) -> None:
    with worker(clean):
        manager.patch(path_of(own), {"configuration": {"settings": {"word": "Ho"}}})
        manager.put(path_of(own), {"configuration": {}})
        back = manager.post(path_of(own, "configurations/1/restore"), {"note": "it was better"})
    assert (back.status, back.body["number"]) == (200, 3)
    assert back.body["configuration"]["settings"] == {"word": "Ho"}
    for nothing in ("9", "-1", "99999999999999999999"):
        assert manager.post(path_of(own, f"configurations/{nothing}/restore")).status == 404


def test_two_changes_of_the_same_version_do_not_both_succeed(own: House, web: TestClient) -> None:
    found: list[int] = []

    def change(number: int) -> None:
        caller = Caller(web, own.tokens[Role.MANAGER])
        body = {"configuration": {"forgetAfter": number}}
        found.append(caller.ask("PATCH", path_of(own), body, {"If-Match": '"0"'}).status)

    threads = [threading.Thread(target=change, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == [200, 412, 412, 412]


def test_a_secret_is_kept_named_and_never_shown(own: House, manager: Caller, web: TestClient, clean: Services) -> None:
    secret = "sk-canary-0123456789abcdef"
    kept = manager.put(path_of(own, "secrets/WEATHER_KEY"), {"secret": secret})
    assert (kept.status, kept.body["name"]) == (200, "WEATHER_KEY")
    assert [one["name"] for one in manager.get(path_of(own, "secrets")).body["items"]] == ["WEATHER_KEY"]
    assert manager.get(path_of(own, "secrets/WEATHER_KEY")).status == 200
    assert manager.get(path_of(own, "secrets/OTHER")).status == 404
    assert manager.put(path_of(own, "secrets/1st"), {"secret": secret}).status == 422
    assert Caller(web, own.tokens[Role.OPERATOR]).get(path_of(own, "secrets")).status == 403
    assert secret not in in_the_database(clean) + in_redis(clean.redis_url)
    assert manager.delete(path_of(own, "secrets/WEATHER_KEY")).status == 204
    assert manager.delete(path_of(own, "secrets/WEATHER_KEY")).status == 404


def test_somebody_elses_bot_has_no_configuration(own: House, web: TestClient) -> None:
    other = house("two", TELEGRAM_ID + 1)
    stranger = Caller(web, other.tokens[Role.OWNER])
    for below in ("configuration", "configurations", "schema", "secrets", "secrets/X"):
        assert stranger.get(path_of(own, below)).status == 404
    assert stranger.patch(path_of(own), {"configuration": {}}).status == 404
