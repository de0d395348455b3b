from typing import Any

import pytest

from botyard.simulator.model import Person
from tests.unit.simulator.asking import order, updates
from tests.unit.simulator.conftest import Stage
from tests.unit.simulator.shapes import assert_shape


@pytest.fixture
def game(stage: Stage) -> dict[str, Any]:
    assert stage.private
    order(stage, "/sim/games", bot_id=stage.bot.id, short_name="chess", title="Chess", description="Check")
    message = stage.call("sendGame", chat_id=stage.person.id, game_short_name="chess")
    assert_shape(message, "Message")
    return {"chat_id": stage.person.id, "message_id": message["message_id"]}


def test_a_game_is_started_by_its_button(stage: Stage, game: dict[str, Any]) -> None:
    order(stage, "/sim/press", bot_id=stage.bot.id, person_id=stage.person.id, message_id=game["message_id"])
    (pressed,) = updates(stage, "callback_query")
    assert pressed["game_short_name"] == "chess"
    assert "data" not in pressed


def test_scores_rise_and_the_best_are_listed_with_a_players_neighbours(stage: Stage, game: dict[str, Any]) -> None:
    players = [stage.world.add_person(Person(0, f"P{at}")) for at in range(8)]
    for at, player in enumerate(players):
        assert_shape(stage.call("setGameScore", **game, user_id=player.id, score=100 - at), "Message")
    scores = stage.call("getGameHighScores", **game, user_id=players[6].id)
    assert_shape(scores, "Array of GameHighScore")
    assert [entry["position"] for entry in scores] == [1, 2, 3, 6, 7, 8]
    lower = game | {"user_id": players[0].id, "score": 1}
    assert stage.refusal("setGameScore", **lower) == "Bad Request: BOT_SCORE_NOT_MODIFIED"
    assert stage.call("setGameScore", **lower, force=True)
    assert stage.call("getGameHighScores", **game, user_id=players[1].id)[0]["user"]["id"] == players[1].id


def test_a_game_is_sent_by_inline_mode_and_scored_by_its_inline_id(stage: Stage, game: dict[str, Any]) -> None:
    asked = order(stage, "/sim/inline", bot_id=stage.bot.id, person_id=stage.person.id, query="")
    result = {"type": "game", "id": "1", "game_short_name": "chess"}
    stage.call("answerInlineQuery", inline_query_id=asked["query_id"], results=[result])
    sent = order(stage, "/sim/inline/choose", query_id=asked["query_id"])
    place = {"inline_message_id": sent["inline_message_id"], "user_id": stage.person.id}
    assert stage.call("setGameScore", **place, score=5) is True
    assert stage.call("getGameHighScores", **place)[0]["score"] == 5
    assert stage.call("getGameHighScores", **game, user_id=stage.person.id) == []


@pytest.mark.usefixtures("game")
def test_unknown_games_and_messages_are_refused(stage: Stage) -> None:
    words = stage.refusal("sendGame", chat_id=stage.person.id, game_short_name="go")
    assert words == "Bad Request: GAME_SHORTNAME_INVALID"
    params = {"chat_id": stage.person.id, "user_id": stage.person.id, "score": 1}
    words = stage.refusal("setGameScore", **params, message_id=99)
    assert words == "Bad Request: message to set game score not found"
    assert stage.refusal("setGameScore", **params, message_id=stage.say()) == "Bad Request: MESSAGE_ID_INVALID"
