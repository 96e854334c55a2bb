"""The lines on the chat's page: bounded, in order, each once, whatever breaks meanwhile."""

from __future__ import annotations

import signal
from pathlib import Path

from selenium.webdriver.common.keys import Keys

from tests.system.browser import Browser, suite, talk
from tests.system.cable import Cable
from tests.system.programs import ROOT, Twistd, dial, read_until


def test_history_is_loaded_by_scrolling_up_and_the_reading_position_stays(
    chat_site: Twistd, ann: Browser, bob: Browser
) -> None:
    talk(chat_site, 300)
    ann.open(chat_site.port("web"))
    ann.reads("tom: line 300")
    # What it came with does not fill the screen; it asks for more by itself.
    ann.wait("$('#scroll').scrollHeight > $('#scroll').clientHeight")
    before = ann.sequences()
    assert before[-1] == 300
    assert before[0] > 100
    # In the list: what is above it may still grow, by who is present for example.
    first = (
        f"$('[data-sequence=\"{before[0]}\"]').getBoundingClientRect().top"
        " - $('#scroll').getBoundingClientRect().top"
    )
    place = ann.run(f"$('#scroll').scrollTop = 0; return {first}")
    ann.wait(f"$$('[data-sequence]').length > {len(before)}")
    assert abs(ann.run(f"return {first}") - place) <= 1
    # A screen reader reads out what comes into #now only.
    assert ann.run("return $$('#now [data-sequence]').length") == 0
    assert ann.run("return $('#past').getAttribute('aria-live')") == "off"

    while ann.sequences()[0] > 1:
        top = ann.sequences()[0]
        ann.run("$('#older').focus()")
        ann.types(Keys.ENTER)
        ann.wait(f"$('[data-sequence]').dataset.sequence < {top}")
    assert ann.sequences() == list(range(1, 301))
    ann.wait("$('#older').hidden")

    bob.open(chat_site.port("web"), "bob")
    ann.scrolls_to(0)
    ann.wait("!$('#to-end').hidden")
    bob.says("news one")
    bob.says("news two")
    ann.shows("#to-end", "2 new lines")
    assert ann.run("return $('#scroll').scrollTop") < 400
    ann.clicks("#to-end")
    ann.wait("$('#to-end').hidden")
    assert ann.sequences() == list(range(1, 303))
    assert ann.run("return $$('#now [data-sequence]').length") == 2


def test_only_so_many_lines_are_kept_and_dropped_ones_come_back(
    chat_site: Twistd, ann: Browser, bob: Browser
) -> None:
    ann.open(chat_site.port("web"), "ann")
    ann.says("the very beginning")
    ann.reads("the very beginning")
    talk(chat_site, 2300)
    ann.reads("line 2300")
    kept = ann.sequences()
    assert kept == list(range(kept[0], 2302))
    assert 1000 < len(kept) <= 2000
    ann.scrolls_to(0)
    ann.wait(f"$('[data-sequence]').dataset.sequence < {kept[0]}")
    assert ann.run("return $('#now [data-sequence]')") is None, "a screen reader reads it out"
    up = ann.sequences()
    assert up == list(range(up[0], up[-1] + 1))
    assert len(up) <= 2000

    # A line that is far back is found, and shown with what was said around it.
    ann.clicks("#search-toggle")
    ann.submits("#search-words", "line")
    ann.shows("#search-state", "there are older ones")
    ann.shows("#search-results", "tom: line 2300")
    ann.clicks("#search-older")
    ann.shows("#search-results", "tom: line 2245")
    ann.submits("#search-words", "beginning very")
    ann.shows("#search-state", "1 line found.")
    ann.shows("#search-results", "lobby, ")
    ann.clicks("#search-results button")
    ann.wait("$('.found')?.dataset.sequence === '1' && $('.found') === document.activeElement")
    around = ann.sequences()
    assert around == list(range(1, around[-1] + 1))
    assert 1 < around[-1] < kept[0]

    bob.open(chat_site.port("web"), "bob")
    bob.says("the newest")
    ann.shows("#to-end", "1 new line")
    ann.clicks("#to-end")
    ann.reads("bob: the newest")
    assert ann.sequences()[-1] == 2302


def test_unread_lines_are_counted_in_the_title_while_the_page_is_hidden(
    chat_site: Twistd, ann: Browser, bob: Browser
) -> None:
    ann.open(chat_site.port("web"), "ann")
    bob.open(chat_site.port("web"), "bob")
    bob.says("seen")
    ann.reads("bob: seen")
    ann.is_titled("lobby - proto chat")
    ann.opens_a_second_window()
    bob.says("one")
    bob.says("two")
    bob.says("/MSG ann three")
    ann.is_titled("(3) lobby - proto chat")
    ann.returns()
    ann.is_titled("lobby - proto chat")


def test_a_server_that_was_killed_comes_back_and_every_line_is_there_once(
    ann: Browser, bob: Browser, tmp_path: Path
) -> None:
    with suite(tmp_path) as server:
        port = server.port("web")
        ann.open(port, "ann")
        bob.open(port, "bob")
        for number in range(5):
            ann.says(f"before {number}")
        bob.reads("ann: before 4")
        server.end(signal.SIGKILL)
    ann.wait("$('#connection.offline, #connection.connecting')")
    ann.says("typed while offline")
    ann.shows("#trouble[role=alert]", "Not connected")
    with suite(tmp_path, port) as server:
        talk(server, 120)
        for browser in (ann, bob):
            browser.is_online()
            browser.reads("tom: line 120")
        assert ann.run("return $('#say').value") == "typed while offline"
        ann.run("$('#say').focus()")
        ann.types(Keys.ENTER)
        bob.reads("typed while offline")
        ann.reads("typed while offline")
        assert ann.sequences() == bob.sequences() == list(range(1, 127))
        assert ann.said() == bob.said()


def test_a_server_that_came_back_with_nothing_is_believed(ann: Browser, tmp_path: Path) -> None:
    with suite(tmp_path, state="memory") as server:
        port = server.port("web")
        ann.open(port, "ann")
        for number in range(3):
            ann.says(f"forgotten {number}")
        ann.reads("ann: forgotten 2")
        server.end(signal.SIGKILL)
    ann.wait("$('#connection.offline, #connection.connecting')")
    with suite(tmp_path, port, state="memory") as server:
        talk(server, 5)
        ann.is_online()
        ann.reads("tom: line 5")
        assert ann.said() == [f"tom: line {number}" for number in range(1, 6)]


def test_a_broken_network_and_a_reload_resume_the_session_without_a_gap(
    chat_site: Twistd, ann: Browser, bob: Browser
) -> None:
    with Cable(chat_site.port("web")) as cable:
        ann.open(cable.port, "ann")
        bob.open(chat_site.port("web"), "bob")
        ann.says("before")
        bob.reads("ann: before")
        cable.cut()
        ann.wait("$('#connection.offline') && $('#countdown').textContent.startsWith('in ')")
        talk(chat_site, 250)
        cable.mend()
        ann.is_online()
        ann.reads("tom: line 250")
        ann.says("after")
        bob.reads("ann: after")
        ann.reads("ann: after")
        assert ann.sequences() == list(range(1, 253))
        assert ann.run("return $('.my-name').textContent") == "ann"

        ann.writes("a draft")
        ann.driver.refresh()
        ann.is_online()
        ann.shows(".my-name", "ann")
        ann.reads("ann: after")
        assert ann.run("return $('#say').value") == "a draft"
        bob.says("once more")
        ann.reads("bob: once more")
        there = ann.sequences()
        assert there == list(range(there[0], 254))


def test_asking_for_older_lines_without_a_connection_does_no_harm(
    chat_site: Twistd, ann: Browser
) -> None:
    talk(chat_site, 300)
    with Cable(chat_site.port("web")) as cable:
        ann.open(cable.port, "ann")
        ann.reads("tom: line 300")
        cable.cut()
        ann.wait("$('#connection.offline')")
        first = ann.sequences()[0]
        ann.resizes(1280, 9000)  # now there is nothing to scroll, which asks for more too
        ann.run("$('#older').click()")
        assert ann.sequences()[0] == first
        cable.mend()
        ann.wait("$('[data-sequence]').dataset.sequence === '1'")
        assert ann.sequences() == list(range(1, 301))


def test_what_was_written_into_a_dying_connection_is_given_back_unless_it_arrived(
    chat_site: Twistd, ann: Browser, bob: Browser
) -> None:
    with Cable(chat_site.port("web")) as cable:
        ann.open(cable.port, "ann")
        bob.open(chat_site.port("web"), "bob")
        cable.silence()
        ann.says("it arrived")
        bob.reads("ann: it arrived")
        cable.deafen()
        ann.says("it did not")
        assert ann.run("return $('#say').value") == ""
        cable.cut()
        ann.wait("$('#connection.offline')")
        cable.mend()
        ann.is_online()
        ann.wait("$('#say').value === 'it did not'")
        ann.shows("#trouble[role=alert]", "in the box again")
        ann.run("$('#say').focus()")
        ann.types(Keys.ENTER)
        bob.reads("ann: it did not")
        ann.reads("ann: it did not")
        assert ann.said() == bob.said() == ["ann: it arrived", "ann: it did not"]


def test_the_page_waits_longer_after_each_try_and_never_more_than_half_a_minute(
    chat_site: Twistd, ann: Browser
) -> None:
    ann.open(chat_site.port("web"))
    waits = ann.run(
        "const { waitBefore } = await import('./chat/connection.js');"
        "return [[0, 0], [0, 1], [3, 0.5], [99, 0], [99, 1]].map((each) => waitBefore(...each))"
    )
    assert waits == [500, 1000, 6000, 15000, 30000]


def test_who_is_not_let_in_reads_why_and_comes_in_when_there_is_room(
    ann: Browser, tmp_path: Path
) -> None:
    with suite(tmp_path, limit="max-per-address = 1") as server:
        with dial(server.port("chat")) as first:
            read_until(first, b"You are ")
            ann.driver.get(f"http://127.0.0.1:{server.port('web')}/chat.html")
            ann.shows("#state", "Offline: 1 connections from your address are open already")
            first.sendall(b"/EXIT\r\n")
            while first.recv(4096):
                continue
        ann.clicks("#retry")
        ann.is_online()


def test_who_came_too_often_is_tried_again_when_the_server_says(
    ann: Browser, tmp_path: Path
) -> None:
    with suite(tmp_path, limit="max-per-minute = 1") as server:
        with dial(server.port("chat")) as first:
            read_until(first, b"You are ")
        ann.driver.get(f"http://127.0.0.1:{server.port('web')}/chat.html")
        told = "more than 1 new connections a minute from your address"
        ann.wait("$('#state').textContent === arguments[0]", f"Offline: {told}; trying again")
        # By itself the page would wait for half a minute at most.
        ann.wait("/^in (3[1-9]|[4-6].) s$/.test($('#countdown').textContent)")


def test_a_server_without_a_chat_is_told_apart_and_not_tried_again(
    ann: Browser, tmp_path: Path
) -> None:
    with Twistd("web", "--port", "0", "--path", str(ROOT / "static"), cwd=tmp_path) as server:
        ann.driver.get(f"http://127.0.0.1:{server.port('web')}/chat.html")
        ann.shows("#state", "There is no chat on this server.")
        ann.shows("#retry", "Try again")
        assert ann.run("return $('#countdown').textContent") == ""


def test_a_session_opened_in_another_tab_says_so_here_and_does_not_fight_for_it(
    chat_site: Twistd, ann: Browser
) -> None:
    ann.open(chat_site.port("web"), "ann")
    ann.run("window.open(location.href)")  # the tab takes a copy of the session along
    ann.shows("#state", "opened elsewhere")
    first, second = ann.driver.window_handles
    ann.driver.switch_to.window(second)
    ann.is_online()
    ann.shows(".my-name", "ann")
    ann.driver.switch_to.window(first)
    ann.clicks("#retry")
    ann.is_online()
    ann.driver.switch_to.window(second)
    ann.shows("#state", "opened elsewhere")
    ann.returns()
