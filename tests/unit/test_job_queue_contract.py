"""What our job queue takes over from python-telegram-bot 22.8, and what it relies on there."""

import inspect
from typing import Any

import pytest
from telegram.ext import ConversationHandler, Job, JobQueue
from telegram.ext._handlers.conversationhandler import _ConversationTimeoutContext

from botyard.telegram.job import DurableJob
from botyard.telegram.job_queue import DurableJobQueue

MAKING = ["run_once", "run_repeating", "run_daily", "run_monthly", "run_custom", "jobs", "get_jobs_by_name"]


def shape(function: Any) -> list[tuple[str, Any]]:
    return [(name, parameter.default) for name, parameter in inspect.signature(function).parameters.items()]


@pytest.mark.parametrize("name", MAKING)
def test_every_method_takes_what_the_librarys_takes(name: str) -> None:
    assert shape(getattr(DurableJobQueue, name)) == shape(getattr(JobQueue, name))


def test_nothing_public_of_the_librarys_is_left_as_it_is_but_what_needs_no_scheduler() -> None:
    def public(owner: type) -> set[str]:
        return {name for name in vars(owner) if not name.startswith("_")}

    assert public(JobQueue) - public(DurableJobQueue) == {
        "application", "job_callback", "scheduler", "scheduler_configuration",
    }  # fmt: skip
    assert public(Job) - public(DurableJob) == {
        "callback", "chat_id", "data", "from_aps_job", "name", "removed", "user_id",
    }  # fmt: skip


def test_a_conversation_handler_puts_off_what_we_know() -> None:
    assert "timeout_jobs" in ConversationHandler.__slots__
    assert inspect.iscoroutinefunction(ConversationHandler._trigger_timeout)
    assert list(_ConversationTimeoutContext.__slots__) == [
        "application", "callback_context", "conversation_key", "update",
    ]  # fmt: skip
    source = inspect.getsource(ConversationHandler)
    for line in (
        "self.timeout_jobs.pop(conversation_key, None)",
        "application.job_queue.scheduler.running",
        "self.timeout_jobs[conversation_key] = j_queue.run_once(",
        "found_job = self.timeout_jobs.get(ctxt.conversation_key)",
    ):
        assert line in source
