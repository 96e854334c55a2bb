"""Somebody at the chat's page, in a headless Chromium that reaches nothing but this machine.

Knows the page by its ids and `data-` attributes, and waits for what it shows with a deadline.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import pytest
from selenium.common.exceptions import JavascriptException, TimeoutException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.system.programs import ROOT, Twistd, dial, free_port, read_until

DEADLINE: Final = 60.0
"""Seconds that the page may take to show something; the machine has other things to do."""
_POLL: Final = 0.05
AT_ONCE: Final = 500
"""Lines that may wait for the disk; the chat refuses more than twice as many."""
_FLAGS: Final = (
    "--headless=new",
    "--no-sandbox",  # root in a container may not make one
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--window-size=1280,800",
)
# A new document tells us what its policy refused, and what nobody caught.
_WITNESS: Final = """
window.problems = [];
addEventListener("securitypolicyviolation", (event) =>
  problems.push(`${event.violatedDirective} refuses ${event.blockedURI}`));
addEventListener("error", (event) => problems.push(event.message));
addEventListener("unhandledrejection", (event) => problems.push(String(event.reason)));
"""


def _found(name: str, package: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is not installed; on Debian: apt-get install {package}")
    return path


@contextmanager
def chromium(folder: Path) -> Iterator[Browser]:
    """A browser of its own, with its profile in the folder; it ends with the `with` block."""
    options = ChromeOptions()
    options.binary_location = _found("chromium", "chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (*_FLAGS, f"--user-data-dir={folder}"):
        options.add_argument(flag)
    # With its path given, Selenium looks for no driver and downloads none.
    service = Service(executable_path=_found("chromedriver", "chromium-driver"))
    driver = Chrome(options=options, service=service)
    try:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WITNESS})
        yield Browser(driver)
    finally:
        driver.quit()


def suite(
    folder: Path, web_port: int = 0, state: str = "state", limit: str = "max-per-minute = 0"
) -> Twistd:
    """The chat and the web with the repository's static files, and only `limit` in people's way.

    `limit` is a line of the chat's part of the configuration.  The web's port, if none is told, is
    one that a second server can have too when this one is gone.
    """
    web_port = web_port or free_port()
    lines = (
        f'[chat]\nport = "0"\nstate = "{state}"\nflood-rate = 0\n{limit}',
        f'[web]\nport = "{web_port}"\npath = {json.dumps(str(ROOT / "static"))}\n',
    )
    (folder / "x.toml").write_text("\n".join(lines))
    return Twistd("proto", "--config", "x.toml", cwd=folder)


def talk(server: Twistd, count: int) -> None:
    """Somebody comes, says `line 1` and so on, faster than the disk, and goes."""
    with dial(server.port("chat")) as talker:
        read_until(talker, b"You are ")
        talker.sendall(b"/NAME tom\r\n")
        for first in range(1, count + 1, AT_ONCE):
            last = min(first + AT_ONCE - 1, count)
            talker.sendall(b"".join(b"line %d\r\n" % each for each in range(first, last + 1)))
            read_until(talker, b"tom says line %d\r\n" % last)


class Browser:
    """One window with the chat's page."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver
        driver.set_script_timeout(DEADLINE)

    def open(self, port: int, name: str = "") -> None:
        """Come to the chat as somebody new, take that name, and wait to be in the lobby."""
        self.driver.get(f"http://127.0.0.1:{port}/chat.html")
        self.is_online()
        if name:
            self.submits("#name", name)
            self.shows(".my-name", name)

    def is_online(self) -> None:
        """Wait until the page has entered a room."""
        self.wait("$('#connection.online') && $('#room').textContent")

    # What a person does.

    def types(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def writes(self, text: str, selector: str = "#say") -> None:
        """Put that text into a field, instead of what is there; Shift+Enter parts lines."""
        self.run("const field = $(arguments[0]); field.focus(); field.select()", selector)
        self.types(Keys.BACKSPACE)
        for number, line in enumerate(text.split("\n")):
            if number:
                chain = ActionChains(self.driver).key_down(Keys.SHIFT).send_keys(Keys.ENTER)
                chain.key_up(Keys.SHIFT).perform()
            self.driver.execute_cdp_cmd("Input.insertText", {"text": line})

    def says(self, text: str) -> None:
        """Write a line and send it with Enter."""
        self.submits("#say", text)

    def submits(self, selector: str, text: str) -> None:
        """Write into a field and press Enter."""
        self.writes(text, selector)
        self.types(Keys.ENTER)

    def clicks(self, selector: str) -> None:
        """Click the first element that matches, once it is there and visible."""
        self.wait("$(arguments[0])?.checkVisibility()", selector)
        self.driver.find_element("css selector", selector).click()

    def scrolls_to(self, pixels: int) -> None:
        """Scroll the lines; 0 is their top."""
        self.run("$('#scroll').scrollTop = arguments[0]", pixels)

    # What a person sees.

    def wait(self, condition: str, *arguments: Any) -> Any:
        """Wait until that expression of the page is true, and return it."""
        try:
            waiting = WebDriverWait(self.driver, DEADLINE, _POLL, [JavascriptException])
            return waiting.until(lambda _: self.run(f"return {condition}", *arguments))
        except TimeoutException:
            page = self.run("return document.body.innerText.slice(-2000)")
            pytest.fail(f"not on the page in time: {condition} {arguments}\n{page}")

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page; `$` and `$$` find what a selector matches."""
        names = (
            "const $ = (selector) => document.querySelector(selector);"
            "const $$ = (selector) => [...document.querySelectorAll(selector)];"
        )
        return self.driver.execute_script(names + script, *arguments)

    def shows(self, selector: str, text: str) -> None:
        """Wait until an element that matches holds that text, somewhere in what it shows."""
        self.wait(
            "$$(arguments[0]).some((each) => each.innerText.includes(arguments[1]))",
            selector,
            text,
        )

    def reads(self, text: str) -> None:
        """Wait for a line that holds that text."""
        self.shows(".line .body", text)

    def sequences(self) -> list[int]:
        """The numbers of the lines in the document, in its order."""
        found = self.run("return $$('[data-sequence]').map((each) => each.dataset.sequence)")
        return list(map(int, found))

    def said(self) -> list[str]:
        """What was said, as the lines in the document tell it."""
        return list(self.run("return $$('[data-sequence] .body').map((each) => each.innerText)"))

    def leaves(self) -> list[str]:
        """Leave the page; the result is what its policy refused and what nobody caught."""
        entries = self.driver.get_log("browser")
        told = [entry["message"] for entry in entries if entry["source"] == "security"]
        found = [*self.run("return window.problems ?? []"), *told]
        self.driver.get("about:blank")
        return found

    def opens_a_second_window(self) -> None:
        """Look at another tab from now on; the chat goes on in the first one, unseen."""
        self.driver.switch_to.new_window("tab")

    def is_titled(self, title: str) -> None:
        """Wait until some tab, looked at or not, has that title."""
        waiting = WebDriverWait(self.driver, DEADLINE, _POLL)
        waiting.until(lambda _: title in self._titles(), f"{title!r} is not in {self._titles()}")

    def returns(self) -> None:
        """Close the tab that is looked at, and look at the first one again."""
        self.driver.close()
        self.driver.switch_to.window(self.driver.window_handles[0])

    def resizes(self, width: int, height: int) -> None:
        """Have a screen of that size, in CSS pixels; the result is a phone if it is small."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1}
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {**metrics, "mobile": width < 600}
        )

    def prefers(self, scheme: str) -> None:
        """Like the `light` or the `dark` colours of pages."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def accessible(self) -> list[tuple[str, str]]:
        """What a screen reader is told: the role and the name of everything in the page."""
        tree = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in tree["nodes"]
            if not node["ignored"]
        ]

    def _titles(self) -> list[str]:
        targets = self.driver.execute_cdp_cmd("Target.getTargets", {})["targetInfos"]
        return [target["title"] for target in targets if target["type"] == "page"]


Pair: TypeAlias = tuple[Browser, Browser]
