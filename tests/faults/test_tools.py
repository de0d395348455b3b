"""What the campaign is made of: failpoints, the proxy, and the reading of the history."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults import bugs
from tests.faults.figures import Figures, read
from tests.faults.points import Points, Struck
from tests.faults.proxy import Proxy


def test_an_armed_point_strikes_once(tmp_path: Path) -> None:
    points = Points(tmp_path)
    points.arm("commit.before", "fail")
    with pytest.raises(Struck):
        points.strike("commit.before")
    points.strike("commit.before")
    assert not points.is_armed("commit.before")


def test_a_point_that_is_disarmed_strikes_nobody(tmp_path: Path) -> None:
    points = Points(tmp_path)
    points.arm("load.after", "fail")
    points.disarm()
    points.strike("load.after")


def test_there_are_no_other_points_than_the_steps(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no point"):
        Points(tmp_path).arm("lunch.before")


def test_a_process_that_comes_to_an_armed_point_kills_itself(tmp_path: Path) -> None:
    Points(tmp_path).arm("done.after", "kill")
    strike = f"Points(Path({str(tmp_path)!r})).strike('done.after')"
    code = f"from pathlib import Path; from tests.faults.points import Points; {strike}"
    ended = subprocess.run([sys.executable, "-c", code], env={**os.environ}, check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that says everything again, on its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        import threading

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=repeat, args=(connection,), daemon=True).start()

        def repeat(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                while data := connection.recv(1000):
                    connection.sendall(data)

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)


def test_a_proxy_hands_on_delays_swallows_cuts_and_refuses(echo: int) -> None:
    with Proxy(echo) as proxy:
        client = socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
        client.sendall(b"one")
        assert client.recv(10) == b"one"
        proxy.weather.delay = 0.2
        began = time.monotonic()
        client.sendall(b"two")
        assert client.recv(10) == b"two"
        assert time.monotonic() - began >= 0.4
        proxy.weather.delay, proxy.weather.silent = 0.0, True
        client.settimeout(0.3)
        client.sendall(b"three")
        with pytest.raises(TimeoutError):
            client.recv(10)
        client.settimeout(5)
        proxy.cut()
        with pytest.raises(ConnectionResetError):
            client.recv(10)
        proxy.weather.closed = True
        assert refused(proxy)


def refused(proxy: Proxy) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
            client.sendall(b"four")
            return not client.recv(10)
    except OSError:
        return True


def made(kind: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "bot_id": 1, "chat_id": 5, "at": 10.0, **more}


def wrote(text: str) -> list[dict[str, Any]]:
    update = made("update", update={"message": {"text": text}})
    return [update, made("delivery", status=200, update_id=hash(text))]


def said(text: str, *, ok: bool = True, **more: Any) -> dict[str, Any]:
    return made("call", method="sendMessage", ok=ok, params={"text": text}, **more)


@pytest.mark.parametrize(
    ("answers", "broken"),
    [
        (["1 a", "2 b"], []),
        (["1 a"], ["1 unanswered", "1 lost"]),
        (["1 a", "1 b"], ["1 lost"]),
        (["1 a", "3 b"], ["1 doubled"]),
        (["2 b", "1 a"], ["1 reordered"]),
        (["1 a", "1 a", "2 b"], ["1 sent twice, 0 uncertain"]),
    ],
)
def test_the_history_tells_what_was_lost_doubled_reordered_and_sent_twice(
    answers: list[str], broken: list[str]
) -> None:
    figures = Figures(0, "nothing", 1)
    read(figures, [*wrote("a"), *wrote("b"), *map(said, answers)], {1}, {1})
    assert figures.judge().broken == broken
    assert figures.accepted == 2


def test_a_bulk_message_that_is_sent_twice_is_seen() -> None:
    figures = Figures(0, "nothing", 1)
    read(figures, [said("news 1 1"), said("news 1 1"), said("news 1 2", ok=False, error_code=429)], {1}, set())
    assert (figures.sent_twice, figures.more["news"], figures.refused) == (1, 1, 1)


def test_a_planted_bug_that_no_longer_fits_says_so() -> None:
    with pytest.raises(LookupError, match="no longer fits"):
        bugs._changed("right", "wrong", "worse")


@pytest.mark.parametrize("name", bugs.BUGS)
def test_every_planted_bug_fits_the_code_as_it_is(name: str) -> None:
    read_all = "[scripts.source(one) for one in ('accept', 'take', 'fail')]"
    code = f"from tests.faults import bugs; bugs.plant({name!r}); from botyard.mailbox import scripts; {read_all}"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
