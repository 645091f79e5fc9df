"""What is said is shown as it was said, and nothing of it can act as HTML or Markdown."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.conversation.changes import Change
from engine.conversation.contract import Answer, RankedColumn, Source, Turn, Understood
from pages.components.conversation import markup
from pages.components.conversation.prose import prose
from tests.helpers.prepared_workspace import SCHEMA

HOSTILE = "<img src=x onerror=alert(1)> \"quoted\" 'single' & [link](http://example.org) ![](http://example.org/x.png)"
TAGS = re.compile(r"<[^>]*>")
OURS = re.compile(
    r"</?(?:p|ul|li|q|b|div|span|table|thead|tbody|tr|th|td|ins|del|blockquote|strong|em|code)"
    r"(?: (?:class|scope|role|tabindex|aria-[a-z]+)=(?:\"[^\"<>]*\"|'[^'<>]*'))*>"
)


def text_of(markup_: str) -> str:
    return html.unescape(TAGS.sub("", markup_))


def every_part(text: str) -> str:
    source = Source(title=text, section=text)
    turn = Turn(
        intent="generate", understood=(Understood(text=text, meaning=text, note=text),), not_understood=(text,),
        notice=text,
    )  # fmt: skip
    ranked = (RankedColumn(column=text, reason=text, basis="guideline", source=source),)
    return "".join(
        (
            markup.request(text), markup.understanding(turn), markup.notice(turn), markup.origin(turn, text),
            markup.answer(Answer(text=text, sources=(source,))), markup.answer(Answer(text=text)),
            markup.ranked(ranked, SCHEMA), markup.progress(text),
            markup.difference([Change("changed", text, text)], title=text),
        )
    )  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.sampled_from([HOSTILE, '"><script>', "**<b>**", "> <i>", "- `<x>`", "'\"&"])))
def test_only_our_own_tags_come_out_whatever_is_said(text: str) -> None:
    assert [tag for tag in TAGS.findall(every_part(text)) if not OURS.fullmatch(tag)] == []


def test_a_hostile_text_is_still_readable() -> None:
    assert text_of(markup.request(HOSTILE)) == HOSTILE
    assert text_of(prose(HOSTILE)) == HOSTILE
    assert "href" not in every_part(HOSTILE) and "<img" not in every_part(HOSTILE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one\ntwo\n\nthree", "<p>one two</p><p>three</p>"),
        ("- a\n  goes on\n- b", "<ul><li>a goes on</li><li>b</li></ul>"),
        ("On:\n- **MIMIC-III** (*Data* 3)", "<p>On:</p><ul><li><strong>MIMIC-III</strong> (<em>Data</em> 3)</li></ul>"),
        ("> said\n> so\nby us", "<blockquote><p>said so</p></blockquote><p>by us</p>"),
        ("### Limits\ntext", "<p><strong>Limits</strong></p><p>text</p>"),
        ("`hba1c` at 2 * 3 * 4 and a*b*c", "<p><code>hba1c</code> at 2 * 3 * 4 and a*b*c</p>"),
        ("1. first\n2. second", "<ul><li>first</li><li>second</li></ul>"),
        ("-5 patients", "<p>-5 patients</p>"),
        ("", ""),
        (">", "<blockquote></blockquote>"),
        (f"{'> ' * 2000}deep", "<blockquote><p>deep</p></blockquote>"),
    ],
)  # fmt: skip
def test_a_little_markdown(text: str, expected: str) -> None:
    assert prose(text) == expected


@given(st.text(alphabet="ab \n>-#*`1.", max_size=40))
def test_prose_loses_no_letter(text: str) -> None:
    letters = [sign for sign in text if sign in "ab"]
    assert [sign for sign in text_of(prose(text)) if sign in "ab"] == letters


def test_a_repeated_stretch_has_one_chip() -> None:
    part = Understood(text="women", meaning="sex is F")
    shown = text_of(markup.understanding(Turn(intent="generate", understood=(part, part), not_understood=("x", "x"))))
    assert (shown.count("women"), shown.count("2 times"), shown.count("not understood")) == (1, 1, 1)


def test_a_column_that_is_gone_is_named_as_it_was() -> None:
    source = Source(title="Card", section="1")
    columns = [RankedColumn(column=name, reason="r", basis="association", source=source) for name in ("sex", "ward")]
    shown = markup.ranked(columns, SCHEMA)
    assert ">Sex<" in shown and ">ward<" in shown and shown.count("Card, 1") == 2


def test_a_text_that_was_not_kept_says_why() -> None:
    assert "it named a person" in markup.request(None)
