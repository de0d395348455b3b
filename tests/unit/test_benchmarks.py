"""The people of the benchmarks, who write and wait for their answers."""

import pytest

from benchmarks.botapi import Connection
from benchmarks.chats import FIRST_UPDATE, Chats


@pytest.mark.parametrize("run", [0, 99, 100, 1000])
def test_an_answer_is_known_in_every_run_however_many_there_were(run: int) -> None:
    chats = Chats(_next=FIRST_UPDATE + 1_000_000 * run)
    chats.offer()
    told = b'{"chat_id":5000000001,"text":"u%d"}' % chats._next
    chats.heard(b"post /bot1:a/sendmessage http/1.1", told, Connection(chats.heard))
    assert chats.done == 1
