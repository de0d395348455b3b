"""Texts with variables: who reads what, and what cannot be written."""

from dataclasses import replace

import pytest

from botyard.errors import InputError
from botyard.messages.wanted import Attachment, Button, Wanted
from botyard.schedules.content import Texts, call_for, content_of
from botyard.users.rendering import Reader, check_text, rendered

ANN = Reader(7, "Ann", "O'Hara", "ann", "pt-br", {"plan": "gold", "score": 5, "tree": {"a": 1}})
NOBODY = Reader(8, "", None, None, None, {})


@pytest.mark.parametrize(
    ("text", "ann", "nobody"),
    [
        ("Hi {{first_name|friend}}!", "Hi Ann!", "Hi friend!"),
        ("{{attributes.plan|free}} {{attributes.score|0}}", "gold 5", "free 0"),
        ("{{attributes.tree|none}}", "none", "none"),
        ("{{id}} {{language|en}} {{username|you}}", "7 pt-br ann", "8 en you"),
        ("a { single } brace", "a { single } brace", "a { single } brace"),
    ],
)
def test_variables_stand_for_whoever_reads(text: str, ann: str, nobody: str) -> None:
    check_text(text, "text")
    assert (rendered(text, ANN, None), rendered(text, NOBODY, None)) == (ann, nobody)


@pytest.mark.parametrize(
    ("mode", "name", "expected"),
    [
        ("HTML", '<b>&"x', "&lt;b&gt;&amp;&quot;x"),
        ("MarkdownV2", "a_b*c.[x](y)!", r"a\_b\*c\.\[x\]\(y\)\!"),
        ("Markdown", "a_b*c[x]`", r"a\_b\*c\[x]\`"),
        (None, "<b>_*", "<b>_*"),
    ],
)
def test_nothing_in_a_value_is_markup(mode: str | None, name: str, expected: str) -> None:
    assert rendered("{{first_name|x}}", replace(ANN, first_name=name), mode) == expected


def test_a_value_is_not_read_for_variables_and_not_longer_than_a_line() -> None:
    assert rendered("{{first_name|x}}", replace(ANN, first_name="{{id}}"), None) == "{{id}}"
    assert len(rendered("{{first_name|x}}", replace(ANN, first_name="a" * 5000), None)) == 256
    assert rendered("{{first_name|x}}", replace(ANN, first_name=" \0 "), None) == "x"


@pytest.mark.parametrize(
    "text", ["Hi {{first_name}}!", "{{surname|x}}", "{{attributes.|x}}", "{{ id|x }}", "{{x", "}}", "{{{{id}}}}"]
)  # fmt: skip
def test_a_text_that_would_have_a_hole_is_refused(text: str) -> None:
    with pytest.raises(InputError) as caught:
        check_text(text, "texts.en")
    assert caught.value.field == "texts.en"


def test_everybody_reads_their_language_or_one_like_it_or_the_default() -> None:
    content = content_of(Texts({"en": "Hi", "pt": "Oi", "de": "Hallo"}, "en"), Wanted("1"))
    said = {one: call_for(content, replace(ANN, language=one)).params["text"] for one in ("pt-br", "de", "fr", None)}
    assert said == {"pt-br": "Oi", "de": "Hallo", "fr": "Hi", None: "Hi"}


def test_a_file_buttons_and_all_else_come_along() -> None:
    message = Wanted(
        "1", attachment=Attachment("photo", "AgACAgIAAxkBAAI"), parse_mode="HTML", silent=True,
        buttons=[[Button("Shop", url="https://shop.example.org")]],
    )  # fmt: skip
    call = call_for(content_of(Texts({"en": "<b>Hi</b> {{first_name|you}}"}, "en"), message), ANN)
    assert (call.method, call.chat_key, call.lane.name) == ("sendPhoto", "7", "SCHEDULED")
    assert call.params == {
        "chat_id": 7, "photo": "AgACAgIAAxkBAAI", "caption": "<b>Hi</b> Ann", "parse_mode": "HTML",
        "disable_notification": True,
        "reply_markup": {"inline_keyboard": [[{"text": "Shop", "url": "https://shop.example.org"}]]},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("texts", "default", "field"),
    [({"en": "Hi"}, "de", "texts"), ({}, "en", "texts"), ({"en": " "}, "en", "text"), ({"e n": "x"}, "en", "language"),
     ({"en": "x" * 4097}, "en", "text")],
)  # fmt: skip
def test_texts_that_telegram_or_somebody_would_not_get_are_refused(
    texts: dict[str, str], default: str, field: str
) -> None:
    with pytest.raises(InputError) as caught:
        content_of(Texts(texts, default), Wanted("1"))
    assert caught.value.field == field
