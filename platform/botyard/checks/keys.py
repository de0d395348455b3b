"""The keys that seal secrets, as `botyard doctor` looks at them. Opens tokens: not for the web process."""

from typing import Final

from botyard.checks.finding import Finding
from botyard.checks.servers import connected
from botyard.errors import InputError
from botyard.settings import Settings
from botyard.vault.keys import Keyring
from botyard.vault.opening import open_sealed
from botyard.vault.sealed import OLDER_KEY_ID, SealedSecret, token_of

_TOKENS_OPENED: Final = 200
_TOKENS: Final = """
SELECT b.username, b.id, b.telegram_id, s.sealed, b.token_encrypted FROM bots b
  LEFT JOIN bot_secrets s ON s.bot_id = b.id AND s.name = 'token:' || b.telegram_id ORDER BY b.id LIMIT %s
"""
_NO_KEY: Final = "`botyard run` makes one by itself; elsewhere `botyard keys generate` does."
_LOST: Final = "Add the key that was in use before, after the newest; or give these tokens to `botyard bot add`."


def key_findings(settings: Settings) -> list[Finding]:
    """Whether there are keys, and whether they open what is stored."""
    if not any((settings.secret_key, settings.secret_key_file, settings.secret_key_command)):
        return [Finding("SECRET_KEY", "trouble", "It is not set, and nothing runs here.", _NO_KEY)]
    # Not by the settings of this process: another one of them may be bad.
    keys = Keyring(settings)
    try:
        own = {key.id for key in keys.at_hand()}
    except InputError as error:
        return [Finding("SECRET_KEY", "trouble", f"{error.field} {error.problem}", error.remedy)]
    if settings.database_system_url is None:
        return [Finding("SECRET_KEY", "ok", "It is set; without a database there is no token to try it on.")]
    with connected(settings.require("database_system_url")) as statement:
        statement.execute(_TOKENS, (_TOKENS_OPENED,))
        rows = statement.fetchall()
        statement.execute("SELECT key_id, count(*) FROM bot_secrets GROUP BY key_id")
        needed = dict(statement.fetchall())
    if shut := [f"@{username}" for username, *row in rows if not _opens(keys, *row)]:
        says = f"It does not open the tokens of {', '.join(shut[:5])}{' and others' if len(shut) > 5 else ''}."
        return [Finding("SECRET_KEY", "trouble", says, _LOST)]
    if missing := sorted(set(needed) - own - {OLDER_KEY_ID}):
        says = f"{sum(needed[one] for one in missing)} secrets are sealed with {', '.join(missing)}, not at hand."
        return [Finding("SECRET_KEY", "trouble", says, _LOST)]
    if not rows:
        return [Finding("SECRET_KEY", "ok", "It is set; there is no bot yet whose token it should open.")]
    return [Finding("SECRET_KEY", "ok", f"It opens every token it was tried on ({len(rows)}).")]


def _opens(keys: Keyring, bot_id: int, telegram_id: int, sealed: bytes | None, older: bytes | None) -> bool:
    try:
        open_sealed(SealedSecret(bot_id, token_of(telegram_id), bytes(sealed or older or b"")), keys)
    except InputError:
        return False
    return True
