import pytest

from botyard.simulator.entities import find_commands, parse
from botyard.simulator.errors import ApiError


def kinds(text: str, mode: str) -> tuple[str, list[tuple[str, int, int]]]:
    plain, entities = parse(text, mode)
    return plain, [(entity["type"], entity["offset"], entity["length"]) for entity in entities]


def test_html_becomes_text_with_entities() -> None:
    assert kinds("<b>bold <i>both</i></b> &lt; <code>x</code>", "HTML") == (
        "bold both < x",
        [("bold", 0, 9), ("italic", 5, 4), ("code", 12, 1)],
    )


def test_offsets_count_utf16_units() -> None:
    assert kinds("😀<b>x</b>", "html") == ("😀x", [("bold", 2, 1)])
    assert find_commands("😀 /start") == [{"type": "bot_command", "offset": 3, "length": 6}]


def test_a_link_keeps_its_address() -> None:
    for text, mode in (
        ('<a href="https://e.org/?a=1&amp;b=2">go</a>', "HTML"),
        ("[go](https://e.org/?a=1&b=2)", "MarkdownV2"),
    ):
        plain, entities = parse(text, mode)
        assert plain == "go"
        assert entities == [{"type": "text_link", "offset": 0, "length": 2, "url": "https://e.org/?a=1&b=2"}]


@pytest.mark.parametrize(
    ("text", "mode", "words"),
    [
        ("<b>x", "HTML", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b>x</i>", "HTML", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("x</b>", "HTML", "Unexpected end tag at byte offset 1"),
        ("ü<h1>x</h1>", "HTML", 'Unsupported start tag "h1" at byte offset 2'),
        ("1 < 2", "HTML", 'Unsupported start tag " 2" at byte offset 2'),
        ("end.", "MarkdownV2", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("*x", "MarkdownV2", "Can't find end of Bold entity at byte offset 0"),
    ],
)
def test_marks_that_do_not_match_are_refused(text: str, mode: str, words: str) -> None:
    with pytest.raises(ApiError) as refusal:
        parse(text, mode)
    assert refusal.value.description == f"Bad Request: can't parse entities: {words}"


def test_markdown_knows_all_styles() -> None:
    text = "*b* _i_ __u__ ~s~ ||p|| `c.` \\.\n```x\ny.```"
    plain, entities = kinds(text, "MarkdownV2")
    assert plain == "b i u s p c. .\nx\ny."
    assert [entity[0] for entity in entities] == [
        "bold",
        "italic",
        "underline",
        "strikethrough",
        "spoiler",
        "code",
        "pre",
    ]


def test_old_markdown_lets_reserved_characters_pass() -> None:
    assert kinds("*b*. Fine!", "Markdown") == ("b. Fine!", [("bold", 0, 1)])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/start", ["/start"]),
        ("/start@demo_bot now, or /help", ["/start@demo_bot", "/help"]),
        ("and/or a/b http://e.org/path", []),
        ("/usr/bin", []),
        ("no command", []),
    ],
)
def test_commands_are_found_in_plain_text(text: str, found: list[str]) -> None:
    spans = [text[entity["offset"] : entity["offset"] + entity["length"]] for entity in find_commands(text)]
    assert spans == found


def test_commands_in_code_stay_code() -> None:
    assert kinds("<code>/start</code> /help", "HTML")[1] == [("code", 0, 6), ("bot_command", 7, 5)]
