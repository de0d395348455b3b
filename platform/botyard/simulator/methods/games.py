"""Games: offering them, and their scores."""

from botyard.simulator.errors import bad_request
from botyard.simulator.methods.call import Call, method
from botyard.simulator.methods.inline import inline_message
from botyard.simulator.methods.markup import read_inline_markup
from botyard.simulator.methods.posting import post_linked
from botyard.simulator.model import Game, Json

TOP = 3
NEIGHBOURS = 1
"""How many players before and after a person are shown."""


@method("sendGame")
def send_game(call: Call) -> Json:
    """Send a game and return it as a ``Message``. Games are made by ``POST /sim/games``, as by BotFather."""
    game = call.bot.games.get(call.params.text("game_short_name"))
    if game is None:
        raise bad_request("GAME_SHORTNAME_INVALID")
    markup = read_inline_markup(call.params) or game.keyboard()
    if "callback_game" not in markup["inline_keyboard"][0][0]:
        raise bad_request("REPLY_MARKUP_GAME_EMPTY")
    return post_linked(call, {"game": game.show()}, markup, game=game.short_name)


@method("setGameScore")
def set_game_score(call: Call) -> Json | bool:
    """Set a person's score; without ``force`` it may only rise. Messages do not show the table of scores."""
    person, score = _player(call), call.params.integer("score")
    game, place, shown = _game(call, "message to set game score")
    if score < 0:
        raise bad_request("SCORE_INVALID")
    scores = game.scores.setdefault(place, {})
    if score <= scores.get(person, -1) and not call.params.flag("force"):
        raise bad_request("BOT_SCORE_NOT_MODIFIED")
    scores[person] = score
    call.world.revision += 1
    return shown or True


@method("getGameHighScores")
def get_game_high_scores(call: Call) -> list[Json]:
    """Return the best three, and a person with their neighbours."""
    person = _player(call)
    game, place, _ = _game(call, "message to get game high scores")
    scores = game.scores.get(place, {})
    ranked = sorted(scores, key=lambda player: -scores[player])
    own = ranked.index(person) if person in scores else 0
    chosen = {*range(TOP), *range(own - NEIGHBOURS, own + NEIGHBOURS + 1)}
    return [
        {"position": at + 1, "user": call.world.card(player), "score": scores[player]}
        for at, player in enumerate(ranked)
        if at in chosen
    ]


def _player(call: Call) -> int:
    person_id = call.params.integer("user_id")
    if person_id not in call.world.people:
        raise bad_request("user not found" if person_id > 0 else "invalid user_id specified")
    return person_id


def _game(call: Call, words: str) -> tuple[Game, str, Json | None]:
    """Return the game that a message offers, the place of its scores, and the message unless it is inline."""
    if call.params.has("chat_id") or call.params.has("message_id"):
        chat = call.chat()
        message = chat.messages.get(call.params.integer("message_id", 0))
        if message is None:
            raise bad_request(f"{words} not found")
        place, shown = str(chat.id), call.world.show(chat, message, viewer=call.bot.id)
        owner = message.author_id
    else:
        chat, message = inline_message(call)
        place, shown, owner = message.inline_id, None, call.bot.id
    game = call.bot.games.get(message.game)
    if game is None or owner != call.bot.id:
        raise bad_request("GAME_BOT_INVALID" if message.game else "MESSAGE_ID_INVALID")
    return game, place, shown
