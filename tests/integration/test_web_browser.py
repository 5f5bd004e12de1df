"""The page in a real browser: what a visitor does, and what is left of it."""

import os
import shutil
import socket
import threading
import time
from pathlib import Path

import pytest
from helpers.tiny_inference import frames, write_video_file
from helpers.tiny_web import FIXED, TinyShelf, upload_file, wait_until

from tmt_vis.web import Limits, Visitors

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:gradio"),
    pytest.mark.filterwarnings("ignore:.*no_silent_downcasting"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated"),
]
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_LIMITS = Limits(upload_mb=1, frames=400, side=64)
_SECONDS = 60_000  # milliseconds: of anything that a busy machine may slow down


class SlowShelf(TinyShelf):
    """A video takes as long as on a small machine; the page must not depend on it."""

    delay = 0.0

    def _load(self, choice):
        find = super()._load(choice)
        find.max_objects = 3
        find.model.backbone.register_forward_pre_hook(
            lambda *_: time.sleep(SlowShelf.delay)
        )
        return find


class Site:
    """A server in a thread, and what a test asks of it."""

    def __init__(self, root: Path) -> None:
        import uvicorn

        from tmt_vis.web.application import make_application

        self.visitors = Visitors(root, _LIMITS)
        sample = upload_file(root.parent / "shipped", name="sample.avi")
        application = make_application(SlowShelf(), self.visitors, sample)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        config = uvicorn.Config(
            application, log_level="warning", timeout_graceful_shutdown=1
        )
        self.server = uvicorn.Server(config)
        run = dict(target=self.server.run, args=([self.listener],), daemon=True)
        self.thread = threading.Thread(**run)
        self.thread.start()
        wait_until(lambda: self.server.started)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self.listener.close()
        self.visitors.close_all()


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="pip install -r requirements/dev.txt"
    )
    found = filter(None, map(shutil.which, _BROWSERS))
    path = next(found, None)
    if path is None:
        pytest.skip(f"no browser is installed: none of {', '.join(_BROWSERS)}")
    with sync_api.sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield made
        made.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("gradio", reason="pip install -r requirements/web.txt")
    root = tmp_path_factory.mktemp("web") / "root"
    root.mkdir()
    os.environ["GRADIO_TEMP_DIR"] = str(root.parent / "gradio")
    made = Site(root)
    yield made
    made.stop()


@pytest.fixture
def visit(browser, site):
    """Open the page as a new visitor; requests to anywhere else fail the test."""
    contexts, foreign = [], []

    def open_page(**options):
        context = browser.new_context(accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(_SECONDS)
        page.on("request", lambda request: foreign.append(request.url))
        page.on("pageerror", lambda error: pytest.fail(f"script: {error}"))
        page.goto(site.address)
        page.locator(".tv-upload").wait_for()
        return page

    SlowShelf.delay = 0.0
    yield open_page
    for context in contexts:
        context.close()
    local = (site.address, "data:", "blob:")
    assert [url for url in foreign if not url.startswith(local)] == []
    wait_until(lambda: not list(site.visitors.root.iterdir()))


def take_sample(page):
    page.get_by_role("button", name="Take the sample video").click()
    page.get_by_text("sample.avi").wait_for()


def lower_score(page):
    """Keep all tracks: the tiny model is not sure of anything."""
    page.get_by_role("spinbutton").fill("0")
    page.get_by_role("spinbutton").press("Enter")


def find_tracks(page):
    page.get_by_role("button", name="Find tracks").click()


def use_words(page, text):
    page.get_by_label("My own words").first.check()
    page.get_by_label("Words, separated by commas", exact=True).fill(text)


def found_names(page, view="#view-a"):
    page.locator(f"{view} .tv-row").first.wait_for()
    return page.locator(f"{view} .tv-row").evaluate_all(
        "rows => rows.map(row => row.dataset.name)"
    )


def test_sample_to_corrected_downloads(visit, tmp_path):
    page = visit()
    take_sample(page)
    lower_score(page)
    find_tracks(page)
    before = found_names(page)
    wait = "() => document.querySelector('.tv-run video')?.readyState >= 2"
    page.wait_for_function(wait)  # the browser plays what was written
    assert page.locator(".tv-table tbody tr").count() == len(before)
    assert page.locator(".tv-chips span").count() > 0

    page.locator(".tv-row").first.click()
    assert page.locator(".tv-row").first.get_attribute("aria-pressed") == "true"
    page.wait_for_function(
        "() => { const c = document.querySelector('.tv-run canvas');"
        "return c.width && c.getContext('2d').getImageData(1, 1, 1, 1).data[3] > 0; }"
    )
    page.locator(".tv-editor input").fill("<b>robot</b>")
    page.get_by_role("button", name="Rename").click()
    page.get_by_text("1 renamed").wait_for()
    assert found_names(page)[0] == "<b>robot</b>"

    page.locator(".tv-row").last.click()
    page.get_by_role("button", name="Drop").click()
    page.get_by_text("1 renamed, 1 dropped").wait_for()
    assert len(found_names(page)) == len(before) - 1
    for name in ("mp4", "YouTube-VIS JSON", "CVAT", "YouTube-VIS for training"):
        with page.expect_download() as download:
            page.get_by_role("link", name=name, exact=True).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert path.stat().st_size > 100 and path.stem.startswith("sample")
    assert "<b>robot</b>" in (tmp_path / "sample.json").read_text()

    page.get_by_role("button", name="Undo all").click()
    page.get_by_role("button", name="Undo all").wait_for(state="detached")
    assert found_names(page) == before


def test_two_visitors_with_different_words(visit):
    pages = {word: visit() for word in ("dog", "cat")}
    for word, page in pages.items():
        take_sample(page)
        lower_score(page)
        use_words(page, word)
    SlowShelf.delay = 0.3
    for page in pages.values():
        find_tracks(page)
    for word, page in pages.items():
        assert set(found_names(page)) == {word}
        assert page.locator(".tv-run h3 small").inner_text() == word


def test_two_vocabularies_side_by_side(visit):
    page = visit()
    take_sample(page)
    lower_score(page)
    use_words(page, "dog")
    page.get_by_label("Compare with a second model or vocabulary").check()
    page.locator("#words-2, #label-space-2").first.wait_for()
    find_tracks(page)
    assert set(found_names(page, "#view-a")) == {"dog"}
    page.locator("#view-b .tv-run").wait_for()
    assert page.locator("#view-b h3 small").inner_text() == "ytvis19"


def test_a_model_that_reads_no_words(visit):
    page = visit()
    page.get_by_label("Model", exact=True).click()
    page.get_by_role("option", name=FIXED).click()
    page.get_by_text("it reads no words").wait_for()
    assert page.get_by_label("My own words").first.is_disabled()


def test_cancel_stops_within_a_second(visit, site, tmp_path):
    page = visit()
    path = upload_file(tmp_path, name="long.avi", count=300)
    page.set_input_files(".tv-upload input", path)
    page.get_by_text("long.avi", exact=True).wait_for()
    SlowShelf.delay = 0.2
    find_tracks(page)
    page.get_by_text("frames per second").wait_for()
    (visitor,) = site.visitors._visitors.values()
    start = time.monotonic()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled").wait_for()
    wait_until(lambda: not visitor.job.is_running)
    assert time.monotonic() - start < 1.5  # one second, and the click of a test
    SlowShelf.delay = 0.0
    take_sample(page)
    lower_score(page)
    find_tracks(page)
    assert found_names(page)  # the page is as good as new


def test_a_tab_closed_in_the_middle_leaves_nothing(visit, site, tmp_path):
    page = visit()
    page.set_input_files(".tv-upload input", upload_file(tmp_path, count=300))
    page.get_by_text("yard.avi", exact=True).wait_for()
    SlowShelf.delay = 0.2
    find_tracks(page)
    page.get_by_text("frames per second").wait_for()
    (visitor,) = site.visitors._visitors.values()
    page.close()
    wait_until(lambda: not visitor.job.is_running)
    wait_until(lambda: not visitor.folder.exists())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_text("dear diary"), "is no video; upload MP4"),
        (lambda path: path.write_bytes(bytes(1_200_000)), "may have 1 MB"),
        (
            lambda path: upload_file(path.parent, name=path.name, count=401),
            "this one has 401",
        ),
        (
            lambda path: write_video_file(path, frames(2, size=(80, 80))),
            "64 pixels on its longer side",
        ),
    ],
    ids=["no video", "too large", "too long", "too wide"],
)
def test_uploads_that_are_refused(visit, tmp_path, make, said):
    page = visit()
    path = tmp_path / "holiday.avi"
    make(path)
    page.set_input_files(".tv-upload input", path)
    page.locator(".tv-failed").get_by_text(said).wait_for()
    find_tracks(page)
    page.get_by_text("There is no video yet").wait_for()


def test_an_empty_vocabulary(visit):
    page = visit()
    take_sample(page)
    use_words(page, " , ")
    find_tracks(page)
    page.get_by_role("alert").get_by_text("needs at least one word").wait_for()
    use_words(page, "xyzzy plugh")
    find_tracks(page)
    page.get_by_role("alert").wait_for()
