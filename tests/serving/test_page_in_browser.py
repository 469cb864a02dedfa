"""The page in a real browser: upload, record, correct, save, compare; by keyboard, on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from affuse.interchange.formats import read_coding
from tests.inference.recordings import values_model
from tests.serving.browsing import PHONE, WORK, chromium, watching
from tests.serving.conftest import tone
from tests.serving.running import Running, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as one:
        yield one


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[Running]:
    """A server with the bundled model, and one of valence and arousal."""
    from affuse.models.bundled import BUNDLED

    folder = tmp_path_factory.mktemp("seeing")
    model = values_model(folder / "va.safetensors")
    with running(folder / "data", "--model", f"faces={BUNDLED}", "--model", model) as one:
        yield one


def test_a_recording_is_uploaded_corrected_by_keyboard_and_saved(
    browser: Browser, server: Running, tmp_path: Path
) -> None:
    with watching(browser, server, accept_downloads=True) as seen:
        job = seen.upload(tone(tmp_path / "Anna's talk.wav", 6.0))
        assert seen.page.inner_text("h1") == "Anna's talk.wav"
        before = server.client.get(f"/v1/jobs/{job}/segments").json()["segments"]
        assert len(before) == 1

        seen.press("ArrowDown", "2")
        assert seen.chosen() == "1 of 1: happy, 0.00 s to 6.00 s, corrected"
        seen.press("Shift+ArrowRight", "Shift+ArrowRight", "x", "u")
        assert seen.chosen() == "2 of 2: not sure, 2.00 s to 6.00 s, corrected"
        seen.press("w", "p", "o", "o")  # the end of the recording is as late as it gets
        assert seen.chosen() == "2 of 2: not sure, 2.10 s to 5.80 s, corrected"
        seen.press("ArrowUp", "Control+z", "Control+z", "Control+y")
        assert seen.chosen().startswith("2 of 2: not sure, 2.10 s to 5.90 s")
        seen.saved()
        seen.check_accessible()

        with seen.page.expect_download() as download:
            seen.page.click("button:has-text('ELAN')")
        assert download.value.suggested_filename == "Anna's talk.eaf"
        download.value.save_as(tmp_path / "talk.eaf")
        coding = read_coding(tmp_path / "talk.eaf")
        assert [(s.start, s.end, s.label) for s in coding.segments] == [
            (0.0, 2.1, "happy"),
            (2.1, 5.9, "not sure"),
        ]
        assert coding.media == "Anna's talk.wav"

        seen.page.reload()  # everything is found again
        seen.page.wait_for_selector(".headline")
        seen.press("ArrowDown", "ArrowDown")
        assert seen.chosen() == "2 of 2: not sure, 2.10 s to 5.90 s, corrected"
        seen.go()
        assert seen.page.inner_text(".jobs a") == "Anna's talk.wav"


def test_every_change_keeps_segments_in_order_and_apart(browser: Browser, server: Running) -> None:
    check = """async () => {
        const m = await import("/page/segments.js");
        let tier = [{ start: 0, end: 1, label: "a", note: "" }], duration = 9;
        let seed = 1;
        const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
        for (let k = 0; k < 4000; k += 1) {
            const time = duration * random(), index = Math.floor(tier.length * random());
            const done = [
                () => m.withStart(tier, index, time), () => m.withEnd(tier, index, time, duration),
                () => m.split(tier, time), () => m.joined(tier, index),
                () => m.added(tier, time, duration, { label: "b" }),
                () => (tier.length > 6 ? m.without(tier, index) : null),
                () => m.relabelled(tier, index, k % 2 ? "c" : "d"),
            ][Math.floor(7 * random())]();
            if (done) tier = done.tier;
            for (let j = 0; j < tier.length; j += 1) {
                const { start, end } = tier[j];
                const free = start >= (tier[j - 1]?.end ?? 0) && end <= duration;
                if (!free || end - start < 0.0399) return JSON.stringify([k, j, tier]);
            }
        }
        return tier.length;
    }"""
    with watching(browser, server) as seen:
        seen.go()
        assert isinstance(seen.page.evaluate(check), int)


def test_two_windows_do_not_overwrite_each_other(
    browser: Browser, server: Running, short: Path
) -> None:
    with watching(browser, server) as seen:
        job = seen.upload(short)
        seen.press("ArrowDown", "2")
        seen.saved()
        kept = server.client.get(f"/v1/jobs/{job}/segments").json()
        elsewhere = [{**one, "label": "sad"} for one in kept["segments"]]
        body = {"revision": kept["revision"], "segments": elsewhere}
        assert server.client.put(f"/v1/jobs/{job}/segments", json=body).status_code == 200
        seen.press("u")
        seen.page.wait_for_selector(".conflict:visible")
        seen.wrong.clear()  # the browser tells of the refusal, which is wanted here
        seen.page.click("text=Take those of the other window")
        seen.page.wait_for_selector(".conflict", state="hidden")
        seen.press("ArrowDown")
        assert ": sad," in seen.chosen()


@pytest.mark.parametrize("kind", ["Camera and microphone", "Microphone alone"])
def test_a_person_is_recorded(browser: Browser, server: Running, kind: str) -> None:
    with watching(browser, server) as seen:
        seen.go()
        seen.page.click(f"button:text-is('{kind}')")
        seen.page.click("text=Start recording")
        seen.page.wait_for_selector(".time:text-is('3 s')")
        seen.page.click("button:text-is('Stop')")
        seen.page.click("text=Use this recording")
        seen.page.wait_for_selector(".headline", timeout=WORK)
        media = "video" if kind.startswith("Camera") else "audio, video"
        length = f"document.querySelector('{media}').duration"
        seen.page.wait_for_selector("button:text-is('Play'):enabled")
        assert 2 < seen.page.evaluate(length) < 6
        seen.page.click("button:text-is('Play')")
        seen.page.wait_for_selector("button:text-is('Pause')")


def test_people_are_tabs_and_values_are_curves(
    browser: Browser, seeing: Running, shared_data: Path
) -> None:
    with watching(browser, seeing) as seen:
        seen.upload(shared_data / "videos" / "crowd_1080p.mp4")
        assert seen.page.locator("[role=tab]").all_inner_texts()[:2] == ["Person 1", "Person 2"]
        seen.page.locator("[role=tab]").first.focus()
        seen.press("ArrowRight")
        assert seen.page.get_attribute("[role=listbox]", "aria-label").startswith(
            "Segments of emotion of person2"
        )
        assert seen.page.locator(".curve").count() == 7
        assert seen.page.locator(".frame").count() == 10
        seen.check_accessible()

        seen.upload(shared_data / "videos" / "single_face.mp4", model="va")
        assert seen.page.locator(".curve").count() == 2
        seen.press("ArrowDown", "l")
        seen.page.keyboard.type("-0.4")
        seen.press("Enter")
        assert ": -0.4," in seen.chosen()
        seen.saved()
        seen.check_accessible()


def test_what_cannot_be_played_or_read_is_said(
    browser: Browser, seeing: Running, shared_data: Path, tmp_path: Path
) -> None:
    with watching(browser, seeing) as seen:
        seen.upload(shared_data / "videos" / "bbaf2n.mpg")
        seen.page.wait_for_selector("text=Your browser cannot play this kind of file")
        assert seen.page.locator(".frame").count() == 10
        assert seen.page.is_disabled("button:text-is('Play')")
        seen.press("End")
        assert seen.page.inner_text(".controls .time").startswith("3.0 s of")
        seen.check_accessible()

        (tmp_path / "talk.mp4").write_text("no video\n" * 30)
        seen.go()
        seen.page.set_input_files("#file", tmp_path / "talk.mp4")
        seen.page.wait_for_selector("[role=alert]")
        assert "not a recording that can be decoded" in seen.page.inner_text("[role=alert]")
        seen.check_accessible()


@pytest.fixture(scope="module")
def pair(seeing: Running, shared_data: Path) -> list[str]:
    """Two jobs that are done: of a face that goes away, and of one that moves."""
    videos = shared_data / "videos"
    jobs = [
        seeing.job(videos / "face_noface.mov", people="all", hop="0.5"),
        seeing.job(videos / "expressive_s18.mp4", people="all"),
    ]
    for job in jobs:
        seeing.when(job, "done")
    return jobs


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, {"width": 1200, "height": 900}], ids=["phone", "desk"])
def test_every_view_is_accessible_in_every_form(
    browser: Browser, seeing: Running, pair: list[str], scheme: str, size: dict[str, int]
) -> None:
    first, second = pair
    with watching(browser, seeing, color_scheme=scheme, viewport=size) as seen:
        seen.go()
        seen.check_accessible()
        seen.know(second=second, first=first)
        seen.go(f"#/job/{first}")
        seen.page.click("summary:text-is('Values as a table')")
        seen.press("ArrowDown")
        seen.check_accessible()
        seen.press("?")
        seen.check_accessible()
        seen.go()
        seen.page.wait_for_selector(".jobs li")
        seen.check_accessible()
        for tick in seen.page.locator(".jobs input").all():
            tick.check()
        seen.page.click("text=Compare the two chosen")
        seen.page.wait_for_selector("text=Two recordings compared")
        assert seen.page.url.endswith(f"/#/compare/{first}/{second}")
        seen.page.wait_for_selector(".overlay")
        seen.check_accessible()
        seen.go("page/limits.html")
        seen.check_accessible()


def test_a_token_is_asked_for_once(
    browser: Browser, model: Path, short: Path, tmp_path: Path
) -> None:
    token = "an-entirely-secret-word"
    (tmp_path / "token").write_text(token)
    words = ("--model", model, "--token-file", tmp_path / "token")
    with (
        running(tmp_path / "data", *words, token=token) as server,
        watching(browser, server) as seen,
    ):
        seen.page.goto(f"{seen.base}/")
        seen.page.fill("#token", "wrong")
        seen.page.click("text=Continue")
        seen.page.wait_for_selector("text=That token is wrong")
        seen.check_accessible()
        seen.page.fill("#token", token)
        seen.press("Enter")
        seen.page.wait_for_selector("#file", state="attached")
        seen.page.set_input_files("#file", short)
        seen.page.wait_for_selector(".headline", timeout=WORK)
        seen.page.wait_for_selector("button:text-is('Play'):enabled")
        seen.page.reload()
        seen.page.wait_for_selector("button:text-is('Play'):enabled")
        assert token not in seen.page.content()
        seen.wrong.clear()  # the browser tells of each 401
