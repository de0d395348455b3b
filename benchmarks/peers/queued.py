"""FastAPI hands each update to Celery by ``send_task``, and a worker answers it: what many tutorials build.

``uvicorn queued:web`` and ``celery -A queued worker``; REDIS_URL and BOT_API name the servers.
"""

import asyncio
import json
import os
from typing import Annotated

import httpx
from answering import SECRET, TOKEN
from celery import Celery
from fastapi import FastAPI, Header, HTTPException, Request, Response

app = Celery("queued", broker=os.environ["REDIS_URL"])
app.conf.update(task_default_queue="queued", task_ignore_result=True, task_acks_late=True)
web = FastAPI(openapi_url=None)
client = httpx.Client(base_url=f"{os.environ['BOT_API']}/bot{TOKEN}")


@web.post("/hook")
async def hook(request: Request, x_telegram_bot_api_secret_token: Annotated[str, Header()]) -> Response:
    """Enqueue, answer 200."""
    if x_telegram_bot_api_secret_token != SECRET:
        raise HTTPException(403)
    await asyncio.to_thread(app.send_task, "answer", (json.loads(await request.body()),), ignore_result=True)
    return Response()


@app.task(name="answer")
def answer(update: dict) -> None:
    """Send it back."""
    body = {"chat_id": update["message"]["chat"]["id"], "text": f"u{update['update_id']}"}
    client.post("/sendMessage", json=body).raise_for_status()
