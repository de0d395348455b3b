"""How often somebody may ask: strangers, keys, and customers together."""

from collections.abc import Iterator

import pytest
import redis
from starlette.testclient import TestClient

from botyard.accounts.records import TokenWanted
from botyard.accounts.roles import Role
from botyard.accounts.services import new_token
from botyard.web.front import build_app
from tests.factories import TELEGRAM_ID
from tests.integration.api.callers import Answer, Caller, house, superadmin
from tests.services import Services, environment

PATH = "/v1/bots/bot_999"


@pytest.fixture
def web(clean: Services) -> Iterator[TestClient]:  # noqa: ARG001 - the process finds it in the environment
    quotas = {"API_RATE": "5", "API_RATE_CUSTOMER": "7", "API_RATE_ANONYMOUS": "3", "CORS_ORIGINS": "https://a.example"}
    with environment(quotas), TestClient(build_app(), raise_server_exceptions=False) as client:
        yield client


def asked(caller: Caller, times: int) -> list[Answer]:
    return [caller.get(PATH) for _ in range(times)]


def statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


def test_a_stranger_is_refused_after_so_many_requests_and_told_when_to_come_back(web: TestClient) -> None:
    answers = asked(Caller(web), 4)
    assert statuses(answers) == [401, 401, 401, 429]
    assert answers[0].headers["ratelimit-policy"] == '"anonymous";q=3;w=60'
    assert answers[0].headers["ratelimit"].startswith('"anonymous";r=2;t=')
    refused = answers[3]
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.body["type"].endswith("#too-many")
    assert 1 <= int(refused.headers["retry-after"]) <= 120
    assert refused.headers["ratelimit"].startswith('"anonymous";r=0;t=')


def test_guessed_tokens_count_as_their_address(web: TestClient) -> None:
    guesses = [Caller(web, f"by_{number:043}").get(PATH).status for number in range(4)]
    assert guesses == [401, 401, 401, 429]


def test_each_key_has_its_own_quota_once_it_is_known(web: TestClient) -> None:
    first, second = Caller(web, superadmin()), Caller(web, superadmin())
    # Its first request counts as the address'.
    assert statuses(asked(first, 7)) == [404] * 6 + [429]
    assert statuses(asked(second, 2)) == [404] * 2
    assert statuses(asked(Caller(web), 2)) == [401, 429]


def test_the_keys_of_a_person_have_no_more_together_than_twice_what_one_has(web: TestClient) -> None:
    keys = [Caller(web, superadmin()) for _ in range(3)]
    # The first request of each counts as the address'.
    answers = [statuses(asked(key, 6)) for key in keys[:2]]
    assert answers == [[404] * 6] * 2
    assert statuses(asked(keys[2], 2)) == [404, 429]


def test_whoever_acts_for_two_customers_counts_for_both(web: TestClient) -> None:
    for number, name in enumerate(("one", "two")):
        house(name, TELEGRAM_ID + number)
    token = [new_token(TokenWanted("both", name, Role.VIEWER)).token for name in ("one", "two")][1]
    policy = asked(Caller(web, token), 2)[1].headers["ratelimit-policy"]
    assert policy.endswith('"customer";q=7;w=60, "customer-2";q=7;w=60')


def test_a_customers_people_share_a_quota_beside_their_own(web: TestClient) -> None:
    tokens = house("one", TELEGRAM_ID).tokens
    anna, bert = Caller(web, tokens[Role.OWNER]), Caller(web, tokens[Role.VIEWER])
    assert statuses(asked(anna, 6)) == [404] * 6
    answers = asked(bert, 4)
    assert statuses(answers) == [404, 404, 404, 429]
    assert answers[1].headers["ratelimit-policy"] == '"default";q=5;w=60, "keys";q=10;w=60, "customer";q=7;w=60'
    assert '"customer";r=1;' in answers[1].headers["ratelimit"]
    # What was refused counted against nobody: its own quota has as much left as before.
    assert '"default";r=3;' in answers[3].headers["ratelimit"]


def test_an_old_window_counts_less_and_less(web: TestClient, valkey: "redis.Redis") -> None:
    seconds, micros = valkey.time()
    window, past = divmod(seconds * 1000 + micros // 1000, 60_000)
    left = 60_000 - past
    valkey.set(f"by:rate:address:unknown:{window - 1}", 3_000)
    refused = Caller(web).get(PATH)
    assert refused.status == (429 if left > 100 else 401)
    # So much of the window before must have left this one that only two of three remain, and no more.
    expected = 60 - past / 1000 - 60 * 2 / 3000
    assert abs(int(refused.headers["retry-after"]) - expected) <= 2


def test_a_redis_that_is_away_limits_nobody(web: TestClient, valkey: "redis.Redis") -> None:
    caller = Caller(web)
    valkey.config_set("maxclients", "1")
    valkey.client_kill_filter(_type="normal", skipme=True)
    try:
        assert statuses(asked(caller, 6)) == [401] * 6
    finally:
        valkey.config_set("maxclients", "10000")


def test_only_pages_of_the_named_origins_may_ask_and_they_see_why_they_were_refused(web: TestClient) -> None:
    asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "PATCH"}
    asks["Access-Control-Request-Headers"] = "authorization, if-match, idempotency-key, content-type"
    preflight = web.options(f"/api{PATH}", headers=asks)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, "https://a.example")
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    other = web.options(f"/api{PATH}", headers={**asks, "Origin": "https://a.example.evil.org"})
    assert "access-control-allow-origin" not in other.headers
    answers = [web.get(f"/api{PATH}", headers={"Origin": "https://a.example"}) for _ in range(4)]
    assert answers[3].status_code == 429
    for answer in (answers[0], answers[3]):
        assert answer.headers["access-control-allow-origin"] == "https://a.example"
        shown = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
        assert {"ETag", "RateLimit", "Retry-After", "Link", "Location"} <= shown
        assert "access-control-allow-credentials" not in answer.headers
    assert "access-control-allow-origin" not in web.get(f"/api{PATH}", headers={"Origin": "null"}).headers


def test_no_other_page_may_ask_unless_origins_are_named(clean: Services) -> None:
    del clean
    with TestClient(build_app(), raise_server_exceptions=False) as web:
        answer = web.get(f"/api{PATH}", headers={"Origin": "https://a.example"})
        assert not [name for name in answer.headers if name.startswith("access-control")]
