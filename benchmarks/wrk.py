"""Webhook requests by wrk, https://github.com/wg/wrk: every update has an id of its own, and a chat of many."""

import re
import subprocess
import tempfile
from collections.abc import Sequence
from typing import Final

from benchmarks.chats import CHATS, FIRST_CHAT, FIRST_UPDATE, Door, fresh_ids, update
from benchmarks.machine import REST
from benchmarks.rounds import Sample

CONNECTIONS: Final = 32
_SCRIPT: Final = """
wrk.method = "POST"
local heads, paths = {%(secrets)s}, {%(paths)s}
local parts, i = {%(parts)s}, %(first)d
request = function()
  i = i + 1
  local door = i %% #paths + 1
  local chat = string.format("%%d", %(chat)d + i %% %(chats)d)
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["X-Telegram-Bot-Api-Secret-Token"] = heads[door]
  return wrk.format(nil, paths[door], nil, string.format("%%s%%d%%s%%s%%s%%s%%s", parts[1], i, parts[2], chat, parts[3], chat, parts[4]))
end
"""  # noqa: E501


def press(doors: Sequence[Door], seconds: float, chats: int = CHATS) -> Sample:
    """As many requests as are answered.

    Args:
        doors: where, in turn; all of one server.
        seconds: for how long.
        chats: how many chats the updates come from.

    Raises:
        RuntimeError: some were not answered 200, or wrk said something else than usual.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_script(doors, fresh_ids(), chats))
        script.flush()
        command = ["taskset", "-c", str(REST), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s", "--latency"]
        command += ["-s", script.name, f"http://127.0.0.1:{doors[0].port}{doors[0].path}"]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60)
    if "Non-2xx" in ran.stdout or "Requests/sec" not in ran.stdout or "Socket errors" in ran.stdout:
        raise RuntimeError(ran.stdout[-500:])
    rate = float(re.findall(r"Requests/sec:\s+([\d.]+)", ran.stdout)[0])
    return Sample(rate, _milliseconds(ran.stdout, 50), _milliseconds(ran.stdout, 99))


def _milliseconds(said: str, percent: int) -> float:
    number, unit = re.findall(rf"{percent}%\s+([\d.]+)(us|ms|s)\b", said)[0]
    return float(number) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[unit]


def _script(doors: Sequence[Door], first: int, chats: int) -> str:
    bare = update(FIRST_UPDATE, FIRST_CHAT).decode()
    before, rest = bare.split(str(FIRST_UPDATE), 1)
    parts = [before, *rest.split(str(FIRST_CHAT))]
    assert len(parts) == 4, "an update names its chat twice"
    return _SCRIPT % {
        "secrets": ",".join(f'"{door.secret}"' for door in doors),
        "paths": ",".join(f'"{door.path}"' for door in doors),
        "parts": ",".join(f"[==[{part}]==]" for part in parts),
        "first": first,
        "chat": FIRST_CHAT,
        "chats": chats,
    }
