"""The chat's page in a real Chromium, at the real suite: what people see there, and do.

What becomes of its lines when much is said or connections break is in test_browser_lines.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.system.browser import Browser
from tests.system.callers import telnet
from tests.system.programs import Twistd

# The least contrast of text and the colour below it, as WCAG 2.2 counts it, and what has it.
CONTRAST = """
const channel = (value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const light = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map((each) => channel(each / 255))
  .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
const below = (element) => {
  const colour = getComputedStyle(element).backgroundColor;
  return colour === "rgba(0, 0, 0, 0)" ? below(element.parentElement) : colour;
};
const hasText = (element) => element.checkVisibility()
  && [...element.childNodes].some((each) => each.nodeType === 3 && each.data.trim());
return $$("body *").filter(hasText).map((element) => {
  const pair = [light(getComputedStyle(element).color), light(below(element))];
  return [(Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05), element.outerHTML];
}).sort(([one], [other]) => one - other)[0];
"""
# Words of a table that stand in two rows.
BROKEN = """
const rows = (text) => {
  const range = document.createRange();
  range.selectNodeContents(text);
  return new Set([...range.getClientRects()].map((each) => each.top)).size;
};
return $$("th, td").flatMap((cell) => [...cell.childNodes])
  .filter((text) => text.nodeType === 3 && !/\\s/.test(text.data) && rows(text) > 1)
  .map((text) => text.data);
"""
HOSTILE = """<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>"""


def test_two_browsers_and_telnet_read_the_same_lines_in_the_same_order(
    chat_site: Twistd, ann: Browser, bob: Browser, tmp_path: Path
) -> None:
    port = chat_site.port("web")
    with telnet("127.0.0.1", chat_site.port("chat"), tmp_path) as tom:
        tom.name()
        tom.says("/NAME tom")
        ann.open(port, "ann")
        bob.open(port, "bob")
        for number in range(5):
            tom.says(f"telnet {number}")
            ann.says(f"first {number}")
            bob.says(f"second {number}")
        for browser in (ann, bob):
            for speaker in ("tom: telnet", "ann: first", "bob: second"):
                browser.reads(f"{speaker} 4")
        for speaker in ("tom says telnet", "ann says first", "bob says second"):
            tom.reads(f"{speaker} 4")
        assert ann.said() == bob.said() == [line.replace(" says ", ": ") for line in tom.heard()]
        assert ann.sequences() == list(range(1, 16))

        tom.says("/ME waves")
        ann.reads("* tom waves")
        ann.says("two lines\n  of one paste")
        bob.shows(".pasted pre", "two lines\n  of one paste")
        tom.wait_for(r"of one paste\r?$")
        bob.says("/NAEM")
        bob.shows("#trouble[role=alert]", "/NAME")
        bob.types("/HELP", Keys.ENTER)  # what was refused is selected: typing takes its place
        bob.shows(".notice", "/JOIN")


def test_a_typed_question_is_answered_among_the_lines_for_oneself_alone(
    chat_site: Twistd, ann: Browser, bob: Browser
) -> None:
    ann.open(chat_site.port("web"), "ann")
    bob.open(chat_site.port("web"))
    bob.clicks(".choose")  # the name one has is selected
    bob.types("bob", Keys.ENTER)
    bob.wait("$('.my-name').textContent === 'bob'")
    bob.says("/AWAY tea")
    bob.says("hello\n  from a paste")
    ann.reads("from a paste")
    ann.shows("#people .away", "away: tea")
    answers = "return $$('.notice:has(.answer)').map((each) => each.innerText)"
    assert ann.run(answers) == [], "the page asked these itself"
    for question, answer in (
        ("/WHO", "bob (away: tea)"),
        ("/ROOMS", "lobby, 2 people"),
        ("/HISTORY 2", "bob pasted:\nhello\n  from a paste"),
        ("/SEARCH paste", "Found in lobby (only you see this)"),
        ("/SEARCH nowhere", "Nothing."),
    ):
        ann.says(question)
        ann.shows(".notice", answer)
    assert len(ann.run(answers)) == 5
    assert bob.run(answers) == []
    ann.clicks("#search-toggle")
    ann.submits("#search-words", "hello")
    ann.shows("#search-results", "hello\n  from a paste")


def test_a_name_is_changed_refused_beside_its_field_and_kept_for_the_next_visit(
    chat_site: Twistd, ann: Browser, bob: Browser
) -> None:
    ann.open(chat_site.port("web"), "ann")
    bob.open(chat_site.port("web"), "bob")
    ann.reads("changed name to bob")
    bob.submits("#name", "Ann")
    bob.shows("#name-trouble[role=alert]", "Ann")
    bob.submits("#name", "robert")
    ann.shows("#people", "robert")
    ann.says("read before")
    ann.reads("read before")
    ann.says("/EXIT")
    ann.shows("#state", "You have left.")
    bob.reads("ann has disconnected.")
    assert ann.run("return $$('#panel [type=submit]:not(:disabled)').length") == 0
    ann.says("read after")
    ann.shows("#trouble", "Not connected")
    ann.clicks("#retry")
    ann.is_online()
    ann.shows("#unsent[role=status]", "press Enter to send")
    assert ann.run("return $('#trouble').textContent") == ""
    assert ann.run("return $$('#panel [type=submit]:disabled').length") == 0
    ann.shows(".my-name", "ann")
    bob.shows("#people", "ann")
    ann.types(Keys.ENTER)
    ann.reads("read after")
    assert ann.run("return $('#unsent').textContent") == ""
    assert ann.sequences() == [1, 2]


def test_rooms_are_joined_listed_with_their_people_and_left(
    chat_site: Twistd, ann: Browser, bob: Browser
) -> None:
    ann.open(chat_site.port("web"), "ann")
    bob.open(chat_site.port("web"), "bob")
    bob.says("only in the lobby")
    ann.reads("only in the lobby")
    ann.submits("#room-wished", "garden")
    ann.shows("#room", "garden")
    ann.says("/TOPIC flowers")
    ann.shows("#topic", "flowers")
    bob.reads("ann has left for garden.")
    bob.shows("#rooms", "garden")
    bob.clicks("#rooms button[value=garden]")
    bob.shows("#room", "garden")
    bob.shows("#topic", "flowers")
    ann.shows("#people", "bob")
    ann.shows("#rooms [aria-current=true]", "garden")
    ann.shows("#rooms [aria-current=true]", "2")
    assert "only in the lobby" not in " ".join(ann.said())
    ann.clicks("#leave")
    ann.shows("#room", "lobby")
    ann.reads("only in the lobby")
    bob.reads("ann has left for lobby.")


def test_private_lines_are_shown_apart_and_answered_and_who_is_away_is_told(
    chat_site: Twistd, ann: Browser, bob: Browser, tmp_path: Path
) -> None:
    ann.open(chat_site.port("web"), "ann")
    bob.open(chat_site.port("web"), "bob")
    with telnet("127.0.0.1", chat_site.port("chat"), tmp_path) as tom:
        tom.name()
        ann.clicks("#people button[aria-label='Write privately to bob']")
        ann.shows("#say-label", "Privately to bob")
        ann.types("a secret", Keys.ENTER)
        ann.shows(".youtold", "a secret")
        bob.shows(".told", "ann to you, privately: a secret")
        bob.clicks(".told button")
        bob.types("an ")
        bob.driver.refresh()  # what was begun for one person is not finished for all
        bob.is_online()
        bob.shows("#say-label", "Privately to ann")
        bob.run("$('#say').focus()")
        bob.types(Keys.END, "answer", Keys.ENTER)
        ann.shows(".told", "bob to you, privately: an answer")
        ann.types(Keys.ESCAPE, "for all", Keys.ENTER)
        tom.reads("ann says for all")
        assert "secret" not in tom.output
        assert "answer" not in tom.output

    ann.writes("lunch", "#away-note")
    ann.types(Keys.ENTER)
    ann.shows("#away-state", "You are away: lunch")
    bob.shows("#people .away", "away: lunch")
    ann.clicks("#back")
    bob.wait("$('#people .away') === null")
    ann.wait("$('#away-form').checkVisibility()")


def test_markup_is_shown_as_the_text_it_is(chat_site: Twistd, ann: Browser, bob: Browser) -> None:
    ann.open(chat_site.port("web"), "ann")
    bob.open(chat_site.port("web"), "bob")
    bob.says(HOSTILE)
    bob.says(f"/TOPIC {HOSTILE}")
    bob.says(f"{HOSTILE}\n{HOSTILE}")
    bob.says(f"/MSG ann {HOSTILE}")
    bob.says(f"/AWAY {HOSTILE}")
    bob.says(f"/NAME {HOSTILE}")
    bob.wait("$('#trouble').textContent")
    ann.shows(".said", HOSTILE)
    ann.shows("#topic", HOSTILE)
    ann.shows(".topic .body", HOSTILE)
    ann.shows(".pasted pre", f"{HOSTILE}\n{HOSTILE}")
    ann.shows(".told", HOSTILE)
    ann.shows("#people", HOSTILE)
    ann.clicks("#search-toggle")
    ann.submits("#search-words", "owned")
    ann.shows("#search-results", HOSTILE)
    assert ann.run("return $$('body img, body script').length") == 0
    assert ann.run("return document.title") == "lobby - proto chat"
    # Only web addresses become links, and they give nothing away.
    bob.says("javascript:alert(1) and https://example.org/a?b=c#d. Fine")
    ann.shows(".said a", "https://example.org/a?b=c#d")
    links = ann.run("return $$('.line a').map((each) => [each.href, each.rel])")
    assert links == [["https://example.org/a?b=c#d", "noopener noreferrer"]]


def test_a_phone_shows_everything_without_scrolling_sideways(
    chat_site: Twistd, ann: Browser, bob: Browser
) -> None:
    ann.resizes(360, 640)
    ann.open(chat_site.port("web"))
    bob.open(chat_site.port("web"), "bob")
    bob.says("x" * 1000)
    bob.says("/TOPIC " + "y" * 300)
    bob.says("def wide():\n" + "z" * 500)
    bob.says("/MSG " + ann.run("return $('.my-name').textContent") + " " + "p" * 200)
    ann.shows(".told", "ppp")
    ann.says("/HELP")
    ann.shows(".notice", "/JOIN")
    for opened in ("", "#search-toggle", "#panel-toggle"):
        if opened:
            ann.clicks(opened)
        assert ann.run("return document.documentElement.scrollWidth") <= 360
        assert ann.run("return $('#scroll').scrollWidth - $('#scroll').clientWidth") == 0
        assert ann.run("return innerHeight") <= 640
    ann.submits("#name", "ann")
    ann.shows(".my-name", "ann")
    ann.types(Keys.ESCAPE)
    ann.wait("document.activeElement.id === 'panel-toggle' && !$('#panel').checkVisibility()")
    box = ann.run("const {top, bottom} = $('#say').getBoundingClientRect(); return [top, bottom]")
    assert 0 < box[0] < box[1] <= 640


def test_the_status_page_breaks_no_word_on_a_phone(chat_site: Twistd, ann: Browser) -> None:
    ann.resizes(360, 640)
    ann.driver.get(f"http://127.0.0.1:{chat_site.port('web')}/status.html")
    ann.shows("#counters", "proto_")
    assert ann.run("return document.documentElement.scrollWidth") <= 360
    assert ann.run(BROKEN) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_that_wcag_asks_for(
    chat_site: Twistd, ann: Browser, bob: Browser, scheme: str
) -> None:
    ann.prefers(scheme)
    ann.open(chat_site.port("web"), "ann")
    bob.open(chat_site.port("web"), "bob")
    for text in (
        "/TOPIC https://example.org/",
        "a\npaste",
        "/ME waves",
        "/MSG ann hi",
        "/AWAY tea",
    ):
        bob.says(text)
    ann.shows(".told", "hi")
    ann.shows("#people .away", "tea")
    ann.says("/NAEM")
    ann.shows("#trouble", "/NAME")
    ann.clicks("#search-toggle")
    ann.submits("#search-words", "paste")
    ann.clicks("#search-results button")
    ann.wait("$('.found')")
    ratio, element = ann.run(CONTRAST)
    assert ratio >= 4.5, element


def test_everything_is_reached_with_the_keyboard_and_named_for_screen_readers(
    chat_site: Twistd, ann: Browser, bob: Browser
) -> None:
    ann.open(chat_site.port("web"), "ann")
    bob.open(chat_site.port("web"), "bob")
    bob.says("/MSG ann https://example.org/")
    bob.says("a\npaste")
    ann.shows(".pasted pre", "paste")
    ann.clicks("#search-toggle")
    ann.submits("#search-words", "paste")
    ann.shows("#search-results button", "Show")
    controls = (
        "$$('a, button, input, textarea, [tabindex=\"0\"]').filter((e) => e.checkVisibility())"
    )
    # By what they are: the lists of rooms and people may be drawn anew meanwhile.
    ann.run(
        "window.told = (e) => [e.tagName, e.id, e.className, e.value, e.href].join(' ');"
        f"window.missing = new Set({controls}.map(told)); document.activeElement.blur()"
    )
    for _ in range(ann.run(f"return {controls}.length") + 3):
        ann.types(Keys.TAB)
        ann.run("missing.delete(told(document.activeElement))")
    assert ann.run("return [...missing]") == []

    told = ann.accessible()
    controls_told = {"button", "textbox", "searchbox", "link", "region", "group", "log"}
    assert [each for each in told if each[0] in controls_told and not each[1].strip()] == []
    assert {"banner", "main", "complementary", "navigation", "search", "log"} <= {
        role for role, _ in told
    }
    assert ("button", "Reply privately to bob") in told

    ann.run("$('#say').focus()")
    ann.types("one line", Keys.ENTER)
    bob.reads("ann: one line")
