"""The pages about the API come from here alone, and run under a policy that lets nothing else in."""

import re

import pytest
from starlette.testclient import TestClient

from botyard.web.api import problems
from botyard.web.api.documentation import PROBLEMS


@pytest.mark.parametrize("path", ["/api/docs", "/api/docs/problems"])
def test_a_page_loads_only_what_comes_from_here(web: TestClient, path: str) -> None:
    page = web.get(path)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\bstyle=|//", page.text)
    for link in re.findall(r'(?:src|href)="(?!data:)([^"#]+)"', page.text):
        found = web.get(re.sub(r"[^/]+/\.\./", "", f"/api/{link}" if path == "/api/docs" else f"/api/docs/{link}"))
        assert found.status_code == 200, link
        assert found.headers["x-content-type-options"] == "nosniff"


def test_what_lies_packed_is_unpacked_by_the_browser(web: TestClient) -> None:
    script = web.get("/api/docs/static/swagger-ui-bundle.js")
    assert (script.headers["content-encoding"], script.headers["content-type"]) == (
        "gzip",
        "text/javascript; charset=utf-8",
    )
    assert "SwaggerUIBundle" in script.text


@pytest.mark.parametrize("name", ["docs.html", "README", "..%2fdocumentation.py", "%2e%2e%2frates.lua", "", "x"])
def test_nothing_else_is_served(web: TestClient, name: str) -> None:
    assert web.get(f"/api/docs/static/{name}").status_code == 404


def test_every_type_of_problem_is_explained(web: TestClient) -> None:
    kinds = {kind for _, kind in problems._KINDS.values()} | set(problems._BY_STATUS.values())
    assert kinds <= PROBLEMS.keys()
    statuses = {kind: status for status, kind in problems._KINDS.values()}
    assert all(PROBLEMS[kind][0] == status for kind, status in statuses.items())
    page = web.get("/api/docs/problems").text
    assert all(f'id="{kind}"' in page for kind in kinds)
