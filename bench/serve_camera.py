"""The camera of `bench/serve.py`: Chromium, with a film in place of one."""

import pathlib
import shutil
import statistics
import tempfile

WATCH = """() => {
    const video = document.getElementById("video");
    const small = document.createElement("canvas");
    const pen = small.getContext("2d", { willReadFrequently: true });
    window.watched = { switches: [], labels: [], rates: [] };
    const tag = () => document.querySelector(".face .tag")?.textContent.split(" ")[0] ?? "";
    let [corner, label] = [null, tag()];
    const look = () => {
        const now = performance.now();
        pen.drawImage(video, 0, 0, 32, 32, 0, 0, 1, 1);
        const bright = pen.getImageData(0, 0, 1, 1).data[0] > 128;
        if (corner !== null && bright !== corner) window.watched.switches.push(now);
        corner = bright;
        if (tag() !== label) window.watched.labels.push(now);
        label = tag();
        window.watched.rates.push(Number(document.getElementById("rate").textContent));
        requestAnimationFrame(look);
    };
    look();
}"""


def watch_camera(address, seconds, scenes, classifier):
    """Returns a line on frames/s and on how long labels take to follow, seen in Chromium."""
    from playwright.sync_api import expect, sync_playwright

    faces, _ = scenes.two_faces(classifier)
    flags = (
        "--no-sandbox --disable-quic --no-first-run --disable-background-networking --disable-component-update "
        "--disable-sync --use-fake-ui-for-media-stream --use-fake-device-for-media-stream"
    )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        film = scenes.film(pathlib.Path(folder) / "film.mjpeg", faces)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=[*flags.split(), f"--use-file-for-fake-video-capture={film}"],
        )
        page = browser.new_context(permissions=["camera"]).new_page()
        page.goto(address)
        page.get_by_role("button", name="Use the camera").first.click()
        expect(page.locator(".face")).to_have_count(1, timeout=60_000)
        page.wait_for_timeout(3_000)
        page.evaluate(WATCH)
        page.wait_for_timeout(1000 * seconds)
        seen = page.evaluate("() => window.watched")
        browser.close()
    follows = [
        min((label - one for label in seen["labels"] if label >= one), default=None) for one in seen["switches"]
    ]
    follows = [one for one in follows if one is not None and one < 3_000]
    rate, middle = statistics.median(seen["rates"]), statistics.median(follows or [float("nan")])
    return (
        f"camera, {seconds} s: {rate:.0f} frames/s; of {len(seen['switches'])} changes of expression "
        f"{len(follows)} were followed, after {middle:.0f} ms, at most {max(follows, default=0):.0f} ms"
    )
