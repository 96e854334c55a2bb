"""The log's page in a real Chromium, at the real suite: what is stored is shown, and found."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver.common.keys import Keys

from tests.system.browser import Browser, chromium
from tests.system.programs import ROOT, Twistd, dial, free_port, program, read_all, run
from tests.system.test_browser import CONTRAST, HOSTILE

FIGURE = "Number($('{}').textContent.match(/[\\d,]+/)[0].replaceAll(',', ''))"
CAME, MISSED = FIGURE.format("#came"), FIGURE.format("#missed")


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One browser for the module: each test has a port of its own, and so a fresh origin."""
    with chromium(tmp_path_factory.mktemp("browser") / "profile") as browser:
        yield browser


@pytest.fixture
def ann(window: Browser) -> Iterator[Browser]:
    """The browser; whatever a test does there, its policy refuses nothing."""
    window.resizes(1280, 800)
    yield window
    assert window.leaves() == []


def serving(folder: Path, options: str = "", port: int = 0) -> Twistd:
    """The log receiver and the web with the repository's pages."""
    static = json.dumps(str(ROOT / "static"))
    lines = (
        f'[logfile]\nport = "0"\nfile = "log.txt"\nack = true\n{options}',
        f'[web]\nport = "{port}"\npath = {static}',
    )
    (folder / "x.toml").write_text("\n".join(lines))
    return Twistd("proto", "--config", "x.toml", cwd=folder)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Twistd]:
    with serving(tmp_path) as server:
        yield server


def send(server: Twistd, text: str) -> None:
    """Lines over TCP; they are on the disk when this returns."""
    with dial(server.port("logfile")) as peer:
        peer.sendall(text.encode())
        peer.shutdown(socket.SHUT_WR)
        assert read_all(peer).endswith(b"OK %d\n" % text.count("\n"))


def come(browser: Browser, server: Twistd) -> None:
    """Look at the page, and wait until it follows."""
    browser.driver.get(f"http://127.0.0.1:{server.port('web')}/log.html")
    is_live(browser)


def is_live(browser: Browser) -> None:
    browser.wait("$('#connection.online')")


def shown(browser: Browser) -> list[str]:
    """The lines on the screen."""
    return list(browser.run("return $$('#lines .text').map((each) => each.textContent)"))


def reads(browser: Browser, text: str) -> None:
    browser.shows("#lines .line", text)


def test_lines_from_every_door_are_shown_as_they_come(
    server: Twistd, ann: Browser, tmp_path: Path
) -> None:
    come(ann, server)
    ann.shows("#empty", "No lines yet")
    send(server, "over TCP\nand one more\n")
    reads(ann, "and one more")
    url = f"http://127.0.0.1:{server.port('web')}/log"
    plain = ("-H", "Content-Type: text/plain", "--data-binary", "over HTTP\n")
    done = run(program("curl", "curl"), "-sSf", *plain, url, cwd=tmp_path)
    assert json.loads(done.stdout) == {"stored": 1}
    reads(ann, "over HTTP")
    assert shown(ann) == ["over TCP", "and one more", "over HTTP"]
    assert (tmp_path / "log.txt").read_text() == "over TCP\nand one more\nover HTTP\n"
    ann.shows("#came", "3 lines received")
    assert ann.run("return [$('#missed').hidden, $('#empty').hidden]") == [True, True]


def test_a_pause_holds_the_screen_still_counts_and_forgets_nothing_it_has_room_for(
    server: Twistd, ann: Browser
) -> None:
    come(ann, server)
    send(server, "before\n")
    reads(ann, "before")
    ann.clicks("#pause")
    send(server, "while paused 1\nwhile paused 2\n")
    ann.shows("#waiting", "Paused, 2 lines since")
    assert shown(ann) == ["before"]
    ann.clicks("#pause")
    assert shown(ann) == ["before", "while paused 1", "while paused 2"]
    assert ann.run("return $('#pause').textContent") == "Pause"
    ann.clicks("#clear")
    assert shown(ann) == []
    ann.shows("#came", "0 lines received")


def test_during_a_long_pause_the_newest_lines_are_kept_and_the_others_counted(
    server: Twistd, ann: Browser
) -> None:
    come(ann, server)
    ann.clicks("#pause")
    for number in range(1, 13):
        send(server, "".join(f"line {number * 200 + each}\n" for each in range(200)))
        ann.shows("#waiting", f"Paused, {number * 200:,} lines since")
    assert shown(ann) == []
    ann.clicks("#pause")
    lines = shown(ann)
    left_out = 2400 - len(lines)
    assert lines == [f"line {each}" for each in range(200 + left_out, 2600)]
    assert len(lines) in (1999, 2000)
    ann.shows("#lines .gap", f"{left_out} lines left out")
    ann.shows("#missed", "lines left out")
    ann.wait(f"{CAME} + {MISSED} === 2400")


def test_of_a_flood_the_newest_lines_are_shown_and_every_other_one_is_counted(
    server: Twistd, ann: Browser
) -> None:
    come(ann, server)
    count = 100_000
    send(server, "".join(f"line {each}\n" for each in range(count)))
    reads(ann, f"line {count - 1}")
    ann.wait(f"{CAME} + {MISSED} === {count}")
    assert ann.run("return $$('#lines > li').length") <= 2000
    noted = "$$('#lines .gap').map((each) => Number(each.textContent.replace(/\\D/g, '')))"
    assert ann.run(f"return {noted}.reduce((sum, each) => sum + each, 0)") > 0
    assert ann.run("return $('#live-lines').ariaLive") == "off"
    assert ann.run("return $('#to-end').hidden")
    ann.run("$('#scroll').scrollTop = 0")
    ann.wait("!$('#to-end').hidden")
    top = "$('#scroll').scrollTop"
    send(server, "one more\n")
    reads(ann, "one more")
    assert ann.run(f"return {top}") < 1000, "it is not scrolled while somebody reads"
    ann.clicks("#to-end")
    ann.wait("$('#to-end').hidden")


def test_only_lines_that_hold_a_text_are_shown_if_one_wants_that(
    server: Twistd, ann: Browser
) -> None:
    come(ann, server)
    ann.submits("#filter", "error")
    ann.shows(".gap", "lines that hold “error”")
    is_live(ann)
    send(server, "an error\nfine\nError\nanother error\n")
    reads(ann, "another error")
    assert shown(ann) == ["an error", "another error"]
    assert ann.run("return $$('#lines mark').map((each) => each.textContent)") == ["error"] * 2
    ann.writes("", "#filter")
    ann.types(Keys.ENTER)
    ann.wait("$$('.gap').length === 2")
    is_live(ann)
    send(server, "fine again\n")
    reads(ann, "fine again")


def test_a_search_finds_what_was_stored_page_by_page_and_back(server: Twistd, ann: Browser) -> None:
    come(ann, server)
    send(server, "".join(f"number {each}\n" for each in range(250)))
    reads(ann, "number 249")  # so they are in the file that ends now
    server.process.send_signal(signal.SIGHUP)
    server.wait_for("SIGHUP")
    send(server, "newest number\n")
    reads(ann, "newest number")
    ann.clicks("#search-toggle")
    assert ann.run("return document.activeElement.id") == "search-text"
    ann.submits("#search-text", "number")
    found = "$$('#results .text').map((each) => each.textContent)"
    ann.wait(f"{found}.length === 100")
    assert ann.run(f"return {found}[0]") == "newest number"
    ann.shows("#search-state", "100 lines, newest first; there may be older ones.")
    ann.clicks("#older")
    ann.wait(f"{found}[0] === 'number 150'")
    ann.clicks("#older")
    ann.wait(f"{found}.at(-1) === 'number 0'")
    ann.shows("#search-state", "nothing is older")
    assert ann.run("return $('#older').disabled")
    assert ann.run("return document.activeElement.id") == "found", "the button had the focus"
    ann.clicks("#newer")
    ann.wait(f"{found}[0] === 'number 150'")
    ann.shows("#results .segment", "log.txt.")
    ann.submits("#search-text", "nowhere")
    ann.shows("#search-state", "Nothing found.")
    assert ann.run("return $('#pages').hidden")
    send(server, "a line while one searches\n")
    reads(ann, "a line while one searches")
    assert ann.run("return $('#to-end').hidden"), "the end is followed, though there is less room"
    ann.types(Keys.ESCAPE)
    assert ann.run("return [$('#search').hidden, document.activeElement.id]") == [
        True,
        "search-toggle",
    ]


def test_times_bound_a_search(tmp_path: Path, ann: Browser) -> None:
    with serving(tmp_path, 'format = "prefixed"') as server:
        come(ann, server)
        send(server, "now\n")
        reads(ann, "now")
        ann.clicks("#search-toggle")
        ann.run("$('#search-since').value = '2001-01-01T00:00:00'")
        ann.submits("#search-text", "now")
        ann.shows("#results .line", "now")
        ann.run("$('#search-until').value = '2001-01-02T00:00:00'")
        ann.submits("#search-text", "now")
        ann.shows("#search-state", "Nothing found.")


def test_with_a_file_for_each_client_one_of_them_is_chosen(tmp_path: Path, ann: Browser) -> None:
    with serving(tmp_path, 'split-by = "peer"') as server:
        come(ann, server)
        assert ann.run("return $$('.file').every((each) => each.hidden)")
        send(server, "mine\n")
        reads(ann, "mine")
        ann.shows("#lines .from", "127.0.0.1")
        ann.submits("#filter-name", "192.0.2.1")
        ann.shows(".gap", "of 192.0.2.1")
        is_live(ann)
        send(server, "mine again\n")
        ann.submits("#filter-name", "127.0.0.1")
        ann.shows(".gap", "of 127.0.0.1")
        is_live(ann)
        send(server, "mine at last\n")
        reads(ann, "mine at last")
        assert shown(ann) == ["mine", "mine at last"]
        ann.clicks("#search-toggle")
        ann.submits("#search-text", "again")
        ann.shows("#search-state", "which log")
        ann.submits("#search-name", "127.0.0.1")
        ann.shows("#results .line", "mine again")


def test_the_page_comes_back_by_itself_and_says_that_something_may_be_missing(
    tmp_path: Path, ann: Browser
) -> None:
    port = free_port()
    with serving(tmp_path, port=port) as server:
        come(ann, server)
        send(server, "before\n")
        reads(ann, "before")
        server.process.send_signal(signal.SIGTERM)
        assert server.end() == 0
    ann.shows("#state", "trying again")
    ann.shows(".gap", "The connection broke")
    with serving(tmp_path, port=port) as server:
        server.port("web")
        ann.run("$('#retry').click()")
        is_live(ann)
        send(server, "after\n")
        reads(ann, "after")
    assert shown(ann) == ["before", "after"]


def test_without_a_log_receiver_the_page_says_so(tmp_path: Path, ann: Browser) -> None:
    static = json.dumps(str(ROOT / "static"))
    (tmp_path / "x.toml").write_text(f'[web]\nport = "0"\npath = {static}\n')
    with Twistd("proto", "--config", "x.toml", cwd=tmp_path) as server:
        ann.driver.get(f"http://127.0.0.1:{server.port('web')}/log.html")
        ann.shows("#state", "There is no log receiver on this server.")
        ann.clicks("#search-toggle")
        ann.submits("#search-text", "x")
        ann.shows("#search-state", "There is no log receiver on this server.")


def test_markup_is_shown_as_the_text_it_is(server: Twistd, ann: Browser) -> None:
    come(ann, server)
    ann.submits("#filter", "<img")
    ann.shows(".gap", "<img")
    is_live(ann)
    send(server, f"{HOSTILE}\n\u202egnorw\n")
    reads(ann, HOSTILE)
    ann.clicks("#search-toggle")
    ann.submits("#search-text", "<img")
    ann.shows("#results .line", HOSTILE)
    assert ann.run("return $$('body img, body script').length") == 0
    assert ann.run("return document.title") == "proto log"


def full_page(browser: Browser, server: Twistd) -> None:
    """Everything that the page can show."""
    come(browser, server)
    send(server, "wide " + "x" * 3000 + "\n" + "".join(f"word {each}\n" for each in range(20_000)))
    reads(browser, "word 19999")
    browser.clicks("#search-toggle")
    browser.submits("#search-text", "word")
    browser.shows("#results .line", "word 19999")
    browser.clicks("#pause")
    send(server, "while paused\n")
    browser.shows("#waiting", "Paused, 1 line since")


def test_a_phone_shows_everything_without_scrolling_sideways(server: Twistd, ann: Browser) -> None:
    ann.resizes(360, 640)
    come(ann, server)
    send(server, "wide " + "x" * 3000 + "\n")
    reads(ann, "wide")
    for opened in ("", "#search-toggle"):
        if opened:
            ann.clicks(opened)
            ann.submits("#search-text", "wide")
            ann.shows("#results .line", "wide")
        assert ann.run("return document.documentElement.scrollWidth") <= 360
        assert ann.run("return $('#scroll').scrollWidth - $('#scroll').clientWidth") == 0
        assert ann.run("return $('#found').scrollWidth - $('#found').clientWidth") == 0
        assert ann.run("return document.documentElement.scrollHeight") <= 640
    bottom = ann.run("return $('#found').getBoundingClientRect().bottom")
    assert 0 < bottom <= 640


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_the_contrast_that_wcag_asks_for(
    server: Twistd, ann: Browser, scheme: str
) -> None:
    ann.prefers(scheme)
    full_page(ann, server)
    ratio, element = ann.run(CONTRAST)
    assert ratio >= 4.5, element


def test_everything_is_reached_with_the_keyboard_and_named_for_screen_readers(
    server: Twistd, ann: Browser
) -> None:
    full_page(ann, server)
    controls = "$$('a, button, input, [tabindex=\"0\"]').filter((e) => e.checkVisibility())"
    ann.run(
        f"window.missing = new Set({controls}.filter((e) => !e.disabled));"
        "document.activeElement.blur()"
    )
    # A field for a time has several stops.
    for _ in range(ann.run("return missing.size") + 20):
        ann.types(Keys.TAB)
        ann.run("missing.delete(document.activeElement)")
    assert ann.run("return [...missing].map((each) => each.outerHTML)") == []
    told = ann.accessible()
    controls_told = {"button", "textbox", "searchbox", "link", "region", "group", "log", "Date"}
    assert [each for each in told if each[0] in controls_told and not each[1].strip()] == []
    assert {"banner", "main", "navigation", "search", "log"} <= {role for role, _ in told}


def test_a_few_lines_are_read_out_and_a_flood_is_summed_up(server: Twistd, ann: Browser) -> None:
    come(ann, server)
    send(server, "a line\n")
    reads(ann, "a line")
    assert ann.run("return $('#live-lines').ariaLive") == "polite"
    send(server, "".join(f"line {each}\n" for each in range(50)))
    reads(ann, "line 49")
    assert ann.run("return $('#live-lines').ariaLive") == "off"
    ann.shows("#told", "50 lines came.")
    send(server, "a line after\n")
    reads(ann, "a line after")
    assert ann.run("return $('#live-lines').ariaLive") == "polite"
