"""The page, in a real browser."""

import base64
import contextlib
import csv
import io
import json
import pathlib
import re
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.skipif(not CHROMIUM, reason="needs Chromium: apt-get install chromium"),
    pytest.mark.slow,
    pytest.mark.xdist_group("serve"),
]

PATIENCE = 90_000  # milliseconds; a busy machine may take long, what is right does not
FLAGS = [
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]
expect = playwright.expect
expect.set_options(timeout=PATIENCE)

MAKE_TRANSFER = """([name, kind, encoded]) => {
    const transfer = new DataTransfer();
    const bytes = Uint8Array.from(atob(encoded), (letter) => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type: kind }));
    return transfer;
}"""

# Those of `fer-ensemble label --csv`.
CSV_HEAD = (
    "schema_version,file,frame,time,face,box_left,box_top,box_width,box_height,left_eye_x,left_eye_y,right_eye_x,"
    "right_eye_y,nose_x,nose_y,left_mouth_x,left_mouth_y,right_mouth_x,right_mouth_y,detector_score,expression,"
    "probability,angry,disgust,fear,happy,sad,surprise,neutral,unsure,smoothing,problem"
)
RUN_AXE = """() => axe.run().then((answer) =>
    answer.violations.map((one) => [one.id, one.help, one.nodes.map((node) => node.html.slice(0, 200))]))"""


@pytest.fixture(scope="module")
def actors(scenes, classifier):
    return scenes.two_faces(classifier)


@pytest.fixture(scope="module")
def browser(tmp_path_factory, scenes, actors):
    film = scenes.film(tmp_path_factory.mktemp("film") / "film.mjpeg", actors[0])
    with playwright.sync_playwright() as started:
        flags = [*FLAGS, f"--use-file-for-fake-video-capture={film}"]
        browser = started.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, server):
    """Function that opens the page; in the end it has asked nobody else and had nothing to complain of."""
    contexts, complaints, asked = [], [], []

    def open_page(view="", address=server.address, width=1280, height=860, **options):
        context = browser.new_context(
            viewport={"width": width, "height": height}, permissions=["camera"], accept_downloads=True, **options
        )
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{address}/{view}")
        return page

    open_page.complaints = complaints
    yield open_page
    for context in contexts:
        context.close()
    assert not complaints
    assert not [url for url in asked if not re.match(r"(blob:)?http://127\.0\.0\.1:", url)]


@pytest.fixture(scope="module")
def party(scenes):
    return scenes.party()


@pytest.fixture(scope="module")
def files(scenes, party, tmp_path_factory):
    """Paths of two pictures: five faces, one face."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "party.png").write_bytes(scenes.encode(party))
    (folder / "one, alone.jpg").write_bytes(scenes.encode(scenes.party(1), "JPEG", quality=95))
    return [folder / "party.png", folder / "one, alone.jpg"]


def hand_over(page, event, path, name=None):
    """Drops or pastes a file."""
    given = [name or path.name, "image/png", base64.b64encode(path.read_bytes()).decode()]
    transfer = page.evaluate_handle(MAKE_TRANSFER, given)
    expect(page.locator("html[data-ready]")).to_be_attached()
    if event == "drop":
        page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    else:
        page.evaluate(
            "(data) => document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data }))",
            transfer,
        )


def choose(page, paths):
    expect(page.locator("html[data-ready]")).to_be_attached()
    page.set_input_files("#files", paths)


def bars(page):
    """Returns the probability of each class as the panel has it."""
    return [float(bar.get_attribute("data-probability")) for bar in page.locator(".bars li").all()]


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_picture_that_is_handed_over_shows_its_faces_and_the_bars_are_what_load_predicts(
    open_page, files, party, classifier, event
):
    page = open_page()
    hand_over(page, event, files[0])
    expect(page.locator(".face")).to_have_count(5)
    found = classifier.find_faces(party)
    expected = classifier.predict(np.stack([face.crop for face in found]))
    for number, (face, row) in enumerate(zip(found, expected, strict=True)):
        page.locator(".face").nth(number).dispatch_event("click")
        expect(page.locator(".which")).to_have_text(f"Face {number + 1} of 5")
        assert bars(page) == pytest.approx(row.tolist(), abs=2e-6)
        assert page.locator(".details h2").inner_text().lower().startswith(face.expression)
        assert page.locator(".unsure-note").is_visible() == face.unsure
        crop = page.locator(".crop canvas").screenshot()
        assert np.asarray(Image.open(io.BytesIO(crop)).convert("L")).std() > 5
    why = page.get_by_label("Show what spoke for it")
    why.check()
    coloured = np.asarray(Image.open(io.BytesIO(page.locator(".crop canvas").screenshot())).convert("RGB")).astype(
        int
    )
    assert np.ptp(coloured, axis=2).max() > 60  # red or blue
    why.uncheck()


def test_outlines_lie_on_the_faces(open_page, files, party, classifier):
    page = open_page()
    choose(page, files[:1])
    expect(page.locator(".face")).to_have_count(5)
    frame = page.locator("#frame").bounding_box()
    for number, face in enumerate(classifier.find_faces(party)):
        box = page.locator(".face").nth(number).bounding_box()
        scale = frame["width"] / party.shape[1]
        drawn = [box["x"] - frame["x"], box["y"] - frame["y"], box["width"], box["height"]]
        assert drawn == pytest.approx([scale * value for value in face.box], abs=2)


def test_several_pictures_make_a_gallery_that_a_keyboard_can_use(open_page, files):
    page = open_page()
    choose(page, files)
    expect(page.locator(".thumb")).to_have_count(2)
    expect(page.locator(".found")).to_have_text(["5 faces", "1 face"])
    page.locator(".thumb").nth(1).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#caption")).to_have_text("one, alone.jpg: 1 face")
    page.keyboard.press("Delete")
    expect(page.locator("#caption")).to_have_text("party.png: 5 faces")
    page.locator(".face").first.focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".which")).to_have_text("Face 2 of 5")
    expect(page.locator(".face").nth(1)).to_be_focused()
    expect(page.locator(".face").nth(1)).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Remove all").click()
    expect(page.locator("#welcome")).to_be_visible()


def test_what_was_found_can_be_taken_along(open_page, files, classifier, party):
    page = open_page()
    choose(page, files)
    expect(page.locator(".found")).to_have_text(["5 faces", "1 face"])

    def download(name):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name).click()
        return waiting.value.suggested_filename, pathlib.Path(waiting.value.path()).read_bytes()

    name, content = download("Download as JSON")
    document = json.loads(content)
    records = document["faces"]
    assert list(document) == ["schema_version", "class_names", "unsure_below", "faces", "problems"]
    should = [
        face.to_record(file="party.png", id=number) for number, face in enumerate(classifier.find_faces(party))
    ]
    assert name == "faces.json" and len(records) == 6
    assert [set(record) for record in records] == [set(should[0])] * 6
    assert [(one["file"], one["face"], one["box"]) for one in records[:5]] == [
        (one["file"], one["face"], one["box"]) for one in should
    ]
    name, content = download("Download as CSV")
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    assert name == "faces.csv" and [row["file"] for row in rows] == ["party.png"] * 5 + ["one, alone.jpg"]
    assert ",".join(rows[0]) == CSV_HEAD
    for row, record in zip(rows, records, strict=True):
        assert [float(row[name]) for name in ("probability", "box_top", "nose_x", "sad")] == [
            record["probability"], record["box"][1], record["landmarks"][2][0], record["probabilities"]["sad"]
        ]  # fmt: skip
    name, content = download("Download annotated pictures")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["party_faces.jpg", "one, alone_faces.jpg"]
        with Image.open(archive.open("party_faces.jpg")) as image:
            drawn = np.asarray(image.convert("L"), float)
    assert drawn.shape == party.shape[:2]
    assert (
        500 < (np.abs(drawn - party[:, :, 0]) > 60).sum() < drawn.size / 5
    )  # lines and words, the rest untouched


def test_a_file_that_is_no_picture_is_named_and_the_others_go_on(open_page, files, tmp_path):
    (tmp_path / "<img src=x onerror=alert(1)>.png").write_bytes(b"no picture")
    page = open_page()
    choose(page, [*tmp_path.iterdir(), files[1]])
    expect(page.locator(".found")).to_have_text(["cannot be read", "1 face"])
    expect(page.locator(".thumb .name").first).to_have_text("<img src=x onerror=alert(1)>.png")
    page.locator(".thumb").first.click()
    expect(page.locator(".details")).to_contain_text("Expected a picture that is whole")
    # The browser itself notes each answer of 400 and above.
    assert [text for text in open_page.complaints if "415" not in text] == []
    open_page.complaints.clear()


def test_the_camera_is_followed_and_stops_when_the_tab_is_hidden(open_page, actors):
    page = open_page()
    expect(page.locator("html[data-ready]")).to_be_attached()
    page.get_by_role("button", name="Use the camera").first.click()
    for expression in [*actors[1], actors[1][0]]:
        expect(page.locator(".face .tag").first).to_have_text(re.compile(expression))
    page.get_by_label("Smooth over time").uncheck()
    expect(page.locator(".face .tag").first).to_have_text(re.compile(actors[1][1]))
    expect(page.locator("#rate")).to_have_text(re.compile("[1-9]"))
    expect(page.locator(".face")).to_have_count(1)
    page.evaluate(
        "() => { Object.defineProperty(document, 'hidden', { value: true, configurable: true });"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    expect(page.locator("#status")).to_have_text("The camera was switched off, as this tab was hidden.")
    assert page.evaluate("() => document.getElementById('video').srcObject === null")
    expect(page.locator("#welcome")).to_be_visible()


def test_the_page_about_the_model_names_its_limits(open_page, classifier):
    page = open_page("#model")
    text = page.locator("#view-model")
    expect(text).to_contain_text(re.compile("What it cannot do|What it is not for"))
    for name in classifier.class_names:
        expect(text).to_contain_text(name)
    expect(text).to_contain_text("AI Act")


def test_the_card_of_a_model_is_shown_as_it_is_meant(open_page, start_thread, classifier):
    table = "| class | recall |\n| --- | --- |\n| sad | 51 % |"
    card = f"# Title\n\nSays **much**, `all`.\n\n## Scores\n\n{table}\n\n- one\n- <b>two</b>\n"
    page = open_page("#model", start_thread(classifier, card=card).address)
    shown = page.locator("#model")
    expect(shown.get_by_role("heading", name="Scores")).to_be_visible()
    expect(shown.locator("strong")).to_have_text("much")
    expect(shown.get_by_role("row")).to_have_text([re.compile("class.*recall"), re.compile("sad.*51 %")])
    expect(shown.locator("li")).to_have_text(["one", "<b>two</b>"])
    assert not page.get_by_text("What it cannot do").count()


def test_the_page_for_programs_is_made_of_the_interface_itself(open_page):
    page = open_page("#interface")
    expect(page.locator(".route h3 code")).to_have_text(["/api/faces", "/api/predict", "/api/model", "/health"])
    expect(page.locator("pre").first).to_contain_text("curl")


def test_a_token_is_asked_for_once_and_does_not_stay_in_the_address(open_page, start_process, files):
    token = "0123456789abcdef"
    with start_process(FER_ENSEMBLE_TOKEN=token) as server:
        page = open_page(f"#token={token}", server.address)
        choose(page, files[1:])
        expect(page.locator(".face")).to_have_count(1)
        assert token not in page.url
        page = open_page("", server.address)
        page.get_by_role("textbox", name="Token").fill(token)
        page.get_by_role("button", name="Go on").click()
        expect(page.locator("html[data-ready]")).to_be_attached()
    assert [text for text in open_page.complaints if "401" not in text] == []
    open_page.complaints.clear()


def stages(page, files):
    """Yields names of what the page can show, while it shows it."""
    expect(page.locator("html[data-ready]")).to_be_attached()
    yield "welcome"
    choose(page, files)
    expect(page.locator(".found")).to_have_text(["5 faces", "1 face"])
    yield "pictures"
    for link, wanted in (("About this model", "What this server takes"), ("For programs", "Addresses")):
        page.get_by_role("link", name=link, exact=True).click()
        expect(page.get_by_role("heading", name=wanted)).to_be_visible()
        yield link


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_it_reads_well_in_both_themes_on_a_desk_and_on_a_phone(open_page, files, scheme, width):
    axe = pytest.importorskip("axe_playwright_python", reason="needs axe: pip install axe-playwright-python")
    source = (pathlib.Path(axe.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page = open_page(width=width, height=844, color_scheme=scheme, reduced_motion="reduce")
    for stage in stages(page, files):
        with contextlib.suppress(playwright.Error):  # it defines itself, and cannot be returned
            page.evaluate(source)
        found = page.evaluate(RUN_AXE)
        assert found == [], stage
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), stage
