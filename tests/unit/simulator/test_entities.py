import pytest

from botyard.simulator.entities import find_commands, parse
from botyard.simulator.errors import ApiError
from tests.unit.simulator.conftest import Stage


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
        ("1 < 2", "HTML", 'Unsupported start tag "" at byte offset 2'),
        ("1 <", "HTML", "Unclosed start tag at byte offset 2"),
        ('<tg-emoji emoji-id="x">y</tg-emoji>', "HTML", "Invalid custom emoji identifier specified"),
        ("a>b", "MarkdownV2", "Character '>' is reserved and must be escaped with the preceding '\\'"),
        ("ü*x\n_y", "MarkdownV2", "Can't find end of Italic entity at byte offset 5"),
        ("![x](https://e.org)", "MarkdownV2", "Invalid tg://emoji or tg://time URL specified"),
        ("[x](e.org", "MarkdownV2", "Can't find end of a URL at byte offset 4"),
        ("a *b", "Markdown", "Can't find end of the entity starting at byte offset 2"),
        ("end.", "MarkdownV2", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("*x", "MarkdownV2", "Can't find end of Bold entity at byte offset 0"),
    ],
)
def test_marks_that_do_not_match_are_refused(text: str, mode: str, words: str) -> None:
    with pytest.raises(ApiError) as refusal:
        parse(text, mode)
    assert refusal.value.description == f"Bad Request: can't parse entities: {words}"


def test_markdown_knows_all_styles() -> None:
    text = "*b* _i_ __u__ ~s~ ||p|| `c.` \\.\n```\nx\ny.```"
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


@pytest.mark.parametrize(
    ("text", "mode", "plain", "entities"),
    [
        (">a\n>b\nc", "MarkdownV2", "a\nb\nc", [("blockquote", 0, 4)]),
        ("x\n>a\n>b||", "MarkdownV2", "x\na\nb", [("expandable_blockquote", 2, 3)]),
        (">*a*\n**>b", "MarkdownV2", "a\nb", [("blockquote", 0, 2), ("bold", 0, 1), ("blockquote", 2, 1)]),
        ("<blockquote expandable>a</blockquote>", "HTML", "a", [("expandable_blockquote", 0, 1)]),
        ("<blockquote>a</blockquote>", "HTML", "a", [("blockquote", 0, 1)]),
        ("C:\\path `a\\nb` \\*", "Markdown", "C:\\path a\\nb *", [("code", 8, 4)]),
        ("*a_b* _x_", "Markdown", "a_b x", [("bold", 0, 3), ("italic", 4, 1)]),
        ("__a__ ||b||", "MarkdownV2", "a b", [("underline", 0, 1), ("spoiler", 2, 1)]),
        ('<span class="tg-spoiler">a</span>', "HTML", "a", [("spoiler", 0, 1)]),
        ("&lt;&#60;&#x3c;&copy;&amp;nbsp;&hellip;", "HTML", "<<<&copy;&nbsp;&hellip;", []),
    ],
)
def test_what_telegram_formats_is_formatted_alike(
    text: str, mode: str, plain: str, entities: list[tuple[str, int, int]]
) -> None:
    assert kinds(text, mode) == (plain, entities)


@pytest.mark.parametrize(
    ("text", "mode", "fields"),
    [
        ("![👍](tg://emoji?id=5)", "MarkdownV2", {"type": "custom_emoji", "custom_emoji_id": "5"}),
        ('<tg-emoji emoji-id="5">👍</tg-emoji>', "HTML", {"type": "custom_emoji", "custom_emoji_id": "5"}),
        ("```python\nxy```", "MarkdownV2", {"type": "pre", "language": "python"}),
        ("```python\nxy```", "Markdown", {"type": "pre", "language": "python"}),
        (
            '<pre><code class="language-python">xy</code></pre>', "HTML",
            {"type": "pre", "language": "python"},
        ),
        ('<code class="language-python">xy</code>', "HTML", {"type": "code"}),
        (
            '<a href="https://x.org/?a=1&copy=2&reg=3&amp;b=>">go</a>', "HTML",
            {"type": "text_link", "url": "https://x.org/?a=1&copy=2&reg=3&b=>"},
        ),
        ("[go](tg://user?id=7)", "MarkdownV2", {"type": "text_mention", "user": {"id": 7}}),
        ("[go](tg://user?id=7)", "Markdown", {"type": "text_mention", "user": {"id": 7}}),
        ('<a href="tg://user?id=7">go</a>', "HTML", {"type": "text_mention", "user": {"id": 7}}),
        (r"[go](https://e.org/a\)b)", "MarkdownV2", {"type": "text_link", "url": "https://e.org/a)b"}),
    ],
)  # fmt: skip
def test_an_entity_says_what_its_mark_says(text: str, mode: str, fields: dict[str, object]) -> None:
    _, entities = parse(text, mode)
    assert entities == [{"offset": 0, "length": 2} | fields]


def test_a_mention_names_the_person_and_of_a_stranger_only_the_text_stays(stage: Stage) -> None:
    assert stage.private
    text = f"[Ann](tg://user?id={stage.person.id}) [Bob](tg://user?id=77)"
    message = stage.call("sendMessage", chat_id=stage.person.id, text=text, parse_mode="MarkdownV2")
    mention = {"type": "text_mention", "offset": 0, "length": 3, "user": stage.person.card()}
    assert (message["text"], message["entities"]) == ("Ann Bob", [mention])
    edited = stage.call(
        "editMessageText", chat_id=stage.person.id, message_id=message["message_id"],
        text=f"<a href='tg://user?id={stage.person.id}'>You</a>", parse_mode="HTML",
    )  # fmt: skip
    assert edited["entities"] == [mention]
