"""Signing in with a password, staying so, and signing out."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from botyard.accounts import passwords, sign_ins
from botyard.accounts.access import NotSignedIn
from botyard.accounts.sign_ins import refresh
from db.engine import get_sessions
from db.models import Person, SignIn
from tests.integration.api.callers import Answer, Caller
from tests.integration.api.people import PASSWORD, add_person, sign_in, signed_in


@pytest.fixture
def anna(web: TestClient) -> int:
    """Somebody with a password; they act for nobody."""
    del web
    return add_person("anna")


def refreshed(web: TestClient, token: str) -> Answer:
    return Caller(web).post("/v1/sessions/refresh", {"refreshToken": token})


def later(seconds: float) -> None:
    """Let every sign-in have been refreshed so long ago."""
    with get_sessions("system").begin() as session:
        session.execute(update(SignIn).values(refreshed_at=SignIn.refreshed_at - timedelta(seconds=seconds)))


def row() -> SignIn:
    with get_sessions("system")() as session:
        return session.scalars(select(SignIn)).one()


def test_who_signs_in_is_let_in_for_a_quarter_of_an_hour(web: TestClient, anna: int) -> None:
    answer = sign_in(web, "anna")
    assert (answer.status, answer.headers["cache-control"]) == (201, "no-store")
    assert (answer.body["tokenType"], answer.body["expiresIn"], answer.body["personId"]) == (
        "Bearer",
        900,
        f"per_{anna}",
    )
    me = Caller(web, answer.body["accessToken"]).get("/v1/me").body
    assert (me["name"], me["sessionId"], me["keyId"], me["scopes"]) == ("anna", answer.body["id"], None, None)


def test_a_wrong_password_and_an_unknown_name_are_the_same_answer(web: TestClient, anna: int) -> None:
    del anna
    answers = [sign_in(web, "anna", "not the right one"), sign_in(web, "nobody", PASSWORD), sign_in(web, "\0")]
    bodies = [{key: value for key, value in one.body.items() if key != "instance"} for one in answers]
    assert [one.status for one in answers] == [401] * 3
    assert bodies[0] == bodies[1] == bodies[2]


def test_a_refresh_token_is_good_for_one_use_and_gives_the_next(web: TestClient, anna: int) -> None:
    del anna
    first = sign_in(web, "anna").body
    second = refreshed(web, first["refreshToken"]).body
    third = refreshed(web, second["refreshToken"]).body
    assert len({first["refreshToken"], second["refreshToken"], third["refreshToken"]}) == 3
    assert first["expiresAt"] == third["expiresAt"]
    assert Caller(web, third["accessToken"]).get("/v1/me").status == 200


def test_an_earlier_refresh_token_ends_the_sign_in(web: TestClient, anna: int) -> None:
    del anna
    first = sign_in(web, "anna").body
    second = refreshed(web, first["refreshToken"]).body
    last = refreshed(web, second["refreshToken"]).body
    assert refreshed(web, first["refreshToken"]).status == 401
    assert refreshed(web, last["refreshToken"]).status == 401
    assert Caller(web, last["accessToken"]).get("/v1/me").status == 401
    assert row().revoked_reason == "an earlier refresh token was used again"


def test_a_refresh_whose_answer_was_lost_is_answered_the_same_for_ten_seconds(web: TestClient, anna: int) -> None:
    del anna
    first = sign_in(web, "anna").body["refreshToken"]
    answers = [refreshed(web, first) for _ in range(3)]
    assert {one.body["refreshToken"] for one in answers} == {answers[0].body["refreshToken"]}
    later(11)
    assert refreshed(web, first).status == 401
    assert refreshed(web, answers[0].body["refreshToken"]).status == 401


def test_of_two_refreshes_at_once_both_get_the_same_and_nothing_forks(web: TestClient, anna: int) -> None:
    del anna
    first = sign_in(web, "anna").body["refreshToken"]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: refresh(first).refresh, range(8)))
    assert len(set(found)) == 1
    later(60)
    assert refreshed(web, found[0]).status == 200


def test_whoever_guesses_the_number_of_a_sign_in_does_not_end_it(web: TestClient, anna: int) -> None:
    del anna
    token = sign_in(web, "anna").body["refreshToken"]
    number = token.split("_")[2]
    for guess in (f"by_refresh_{number}_{'a' * 22}_{'b' * 43}", token[:-1], "", f"by_refresh_0_{token[-66:]}"):
        with pytest.raises(NotSignedIn):
            refresh(guess)
    assert refreshed(web, token).status == 200


def test_a_sign_in_ends_after_thirty_days_whatever_one_does(web: TestClient, anna: int) -> None:
    del anna
    begun = sign_in(web, "anna").body
    assert timedelta(days=29) < row().expires_at - datetime.now(UTC) <= sign_ins.LASTS
    with get_sessions("system").begin() as session:
        session.execute(update(SignIn).values(expires_at=datetime.now(UTC)))
    assert refreshed(web, begun["refreshToken"]).status == 401
    assert Caller(web, begun["accessToken"]).get("/v1/me").status == 401


def test_one_sees_where_one_is_signed_in_and_ends_it_there(web: TestClient, anna: int) -> None:
    del anna
    add_person("ben")
    here, there, ben = signed_in(web, "anna"), signed_in(web, "anna"), signed_in(web, "ben")
    seen = here.get("/v1/sessions").body["items"]
    assert [one["current"] for one in seen] == [False, True]
    assert seen[0]["device"] == "testclient"
    assert ben.delete(f"/v1/sessions/{seen[0]['id']}").status == 404
    assert here.delete(f"/v1/sessions/{seen[0]['id']}").status == 204
    assert (here.get("/v1/me").status, there.get("/v1/me").status) == (200, 401)
    assert here.delete("/v1/sessions/current").status == 204
    assert here.get("/v1/me").status == 401


def test_another_password_ends_every_sign_in(web: TestClient, anna: int) -> None:
    del anna
    here, there = signed_in(web, "anna"), sign_in(web, "anna").body
    given = {"old": PASSWORD, "new": "candle orbit moss nineteen"}
    assert here.put("/v1/me/password", given | {"old": "not the right one"}).status == 422
    assert here.put("/v1/me/password", given).status == 204
    assert here.get("/v1/me").status == 401
    assert refreshed(web, there["refreshToken"]).status == 401
    assert [sign_in(web, "anna", word).status for word in (PASSWORD, given["new"])] == [401, 201]


def test_a_sign_in_with_the_password_of_before_is_no_sign_in(
    web: TestClient, anna: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password is changed after it was compared, and before the sign-in is written."""
    real = passwords.is_outdated

    def changed_meanwhile(stored: str) -> bool:
        with get_sessions("system").begin() as session:
            session.execute(update(Person).where(Person.id == anna).values(password_hash="another"))
        return real(stored)

    monkeypatch.setattr(passwords, "is_outdated", changed_meanwhile)
    assert sign_in(web, "anna").status == 401


def test_who_guesses_too_often_is_told_when_to_come_again(web: TestClient, anna: int) -> None:
    del anna
    caller = signed_in(web, "anna")
    answers = [sign_in(web, "anna", "not the right one") for _ in range(6)]
    assert [one.status for one in answers] == [401] * 5 + [429]
    assert 25 <= int(answers[5].headers["retry-after"]) <= 30
    assert answers[5].body["type"] == "/api/docs/problems#too-many"
    given = {"old": "not the right one", "new": "candle orbit moss nineteen"}
    assert [caller.put("/v1/me/password", given).status for _ in range(6)] == [422] * 5 + [429]


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("short words", "fewer than 12"),
        ("password1234", "easy to guess"),
        ("anna-anna-anna", "easy to guess"),
        ("qwertyuiop12345", "easy to guess"),
        ("x" * 129, "more than 128"),
    ],
)
def test_a_password_that_is_easy_to_guess_is_refused(web: TestClient, anna: int, new: str, says: str) -> None:
    del anna
    answer = signed_in(web, "anna").put("/v1/me/password", {"old": PASSWORD, "new": new})
    assert answer.status == 422
    assert says in answer.body["errors"][0]["problem"]
    assert answer.body["errors"][0]["remedy"]
    assert new not in str(answer.body)


def test_a_name_is_changed_for_the_version_that_was_seen(web: TestClient, anna: int) -> None:
    del anna
    add_person("ben")
    caller = signed_in(web, "anna")
    tag = caller.get("/v1/me").headers["etag"]
    assert caller.ask("PATCH", "/v1/me", {"name": "ben"}, {"If-Match": tag}).status == 409
    assert caller.ask("PATCH", "/v1/me", {"name": "anna b"}, {"If-Match": tag}).body["name"] == "anna b"
    assert caller.ask("PATCH", "/v1/me", {"name": "anna c"}, {"If-Match": tag}).status == 412
    assert sign_in(web, "anna b").status == 201
