"""The page behind links that are valid once, in a browser."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, expect
from starlette.datastructures import State

from botyard.accounts import invitations
from botyard.accounts.customers import add_customer
from botyard.accounts.members import members_of
from botyard.accounts.roles import Role
from botyard.embedded import free_port
from botyard.web import welcome
from botyard.web.api.application import build_api
from tests.e2e.page_stage import WIDER, assert_accessible
from tests.e2e.yard import wait_until
from tests.integration.api.people import PASSWORD, add_person
from tests.services import Services

pytestmark = pytest.mark.timeout(120)
PHONE = {"width": 360, "height": 640}
WINDOW = {"width": 1280, "height": 800}


@dataclass
class Door:
    """The web process with its page, and who opens it in a browser."""

    address: str
    browser: Browser
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def open(self, code: str, **look: Any) -> Page:
        page = self.browser.new_context(**({"viewport": WINDOW} | look)).new_page()
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(f"{self.address}/welcome#{code}")
        return page


@pytest.fixture
def door(clean: Services, browser: Browser) -> Iterator[Door]:
    del clean
    app = FastAPI()
    app.include_router(welcome.router)
    app.mount("/api", build_api(State()))
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started, 30, "the server has started")
        yield Door(f"http://127.0.0.1:{port}", browser)
    finally:
        for context in browser.contexts:
            context.close()
        server.should_exit = True
        thread.join(30)


def fill(page: Page, name: str | None, password: str) -> None:
    if name is not None:
        page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Go on").click()


def first_code() -> str:
    link = invitations.first_link()
    assert link is not None
    return link.code


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, WINDOW], ids=["phone", "window"])
def test_the_first_one_chooses_a_name_and_a_password_and_learns_what_comes_next(
    door: Door, theme: Any, size: Any
) -> None:
    code = first_code()
    page = door.open(code, color_scheme=theme, viewport=size)
    expect(page.get_by_role("status")).to_contain_text("You are the first here")
    assert_accessible(page, "the form")
    assert page.evaluate(WIDER) == []
    fill(page, "anna", PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_have_text("That is all, anna")
    assert_accessible(page, "the end")
    assert page.evaluate(WIDER) == []
    assert code not in page.url
    assert page.get_by_role("link").first.get_attribute("href") == "api/docs"
    assert f"curl {door.address}/api/v1/sessions" in page.locator("#sign-in").inner_text()
    assert door.complaints == []
    assert [url for url in door.asked if code in url.partition("#")[0]] == []
    assert not any(PASSWORD in url for url in door.asked)


def test_a_password_that_is_refused_is_explained_beside_it(door: Door) -> None:
    page = door.open(first_code())
    fill(page, "anna", "password1234")
    expect(page.locator("#password-problem")).to_contain_text("is easy to guess")
    expect(page.get_by_label("Password", exact=True)).to_be_focused()
    assert_accessible(page, "a refusal")
    fill(page, "anna", PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_contain_text("That is all")


def test_a_link_that_is_not_valid_says_so(door: Door) -> None:
    page = door.open("by_link_" + "a" * 43)
    expect(page.get_by_role("status")).to_contain_text("This link is not valid")
    expect(page.get_by_role("button")).to_be_hidden()
    expect(door.open("").get_by_role("status")).to_contain_text("its last part is missing")


def test_who_is_known_here_accepts_an_invitation_with_their_own_password(door: Door) -> None:
    customer = add_customer("acme")
    add_person("ben")
    page = door.open(invitations.invite(None, customer.id, Role.OPERATOR).code)
    expect(page.get_by_role("status")).to_contain_text("act for acme, as operator")
    page.get_by_label("I can sign in here already").check()
    fill(page, "ben", "not the right one")
    expect(page.get_by_role("alert")).to_have_text("The name or the password is wrong.")
    fill(page, "ben", PASSWORD)
    expect(page.get_by_role("heading", level=1)).to_have_text("That is all, ben")
    assert [(one.name, one.role) for one in members_of(customer.id)] == [("ben", Role.OPERATOR)]


def test_a_forgotten_password_is_set_for_the_name_that_is_shown(door: Door) -> None:
    add_person("<img src=x onerror=alert(1)>")
    page = door.open(invitations.password_link("<img src=x onerror=alert(1)>").code)
    expect(page.get_by_label("Name")).to_have_value("<img src=x onerror=alert(1)>")
    assert page.get_by_label("Name").get_attribute("readonly") is not None
    fill(page, None, "candle orbit moss nineteen")
    expect(page.get_by_role("heading", level=1)).to_have_text("That is all, <img src=x onerror=alert(1)>")
    assert door.complaints == []


def test_no_script_of_others_no_frame_and_no_referrer(door: Door) -> None:
    for path in ("welcome", "welcome/welcome.js", "welcome/welcome.css"):
        answer = httpx.get(f"{door.address}/{path}")
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} <= set(policy.split("; "))
        assert answer.headers["referrer-policy"] == "no-referrer"
    assert "<script>" not in httpx.get(f"{door.address}/welcome").text
    assert httpx.get(f"{door.address}/welcome/welcome.py").status_code == 404
