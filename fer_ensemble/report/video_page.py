"""A page on one video: what each face showed, and when. One HTML file that needs nothing from elsewhere."""

import base64
import html
import pathlib

import numpy as np

from fer_ensemble.classifier.video_summary import VideoSummary

_STYLE = pathlib.Path(__file__).with_name("style.css")
_MOST_PEOPLE = 12
_WIDTH, _HEIGHT = 800, 140  # of a plot, in its own units
# Told apart by most colour-blind people (Okabe & Ito, 2008), on light and dark ground.
_COLOURS = ("#d55e00", "#009e73", "#0072b2", "#e69f00", "#56b4e9", "#cc79a7", "#999999", "#b8a000", "#7d5ba6")

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
figure {{ margin: 0 0 1rem }}
svg.time {{ width: 100%; height: auto }}
.moments {{ display: flex; flex-wrap: wrap; gap: 1rem }}
.moments figure {{ text-align: center }}
.moments img {{ width: 96px; height: 96px; display: block; margin: auto }}
.key {{ display: inline-block; width: 0.8em; height: 0.8em; margin-right: 0.3em }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{summary}</p>
<p>{keys}</p>
{people}
<p>The height of a colour is the mean probability of that expression at that moment; all together make 1.
Probabilities are calibrated. An expression is not a feeling: what a face shows is read, and not what a person
feels.</p>
</main>
</body>
</html>
"""


def format_video_page(name: str, summary: VideoSummary, smooth: float = 0.0) -> str:
    """Formats the page.

    Args:
        name: What the video is called.
        summary: `VideoSummary`.
        smooth: Over how many seconds the probabilities were smoothed; 0 is not at all.

    Returns:
        HTML, as text.
    """
    people = summary.people(_MOST_PEOPLE)
    everybody = len(summary.people())
    told = [
        f"{format_time(summary.duration)} long, looked at {summary.frames:,} times; {summary.faceless:,} times "
        "there was no face.",
        f"Probabilities are smoothed over {smooth:g} s." if smooth else "",
        f"The {len(people)} faces that were seen the longest, of {everybody}." if everybody > len(people) else "",
        "" if people else "No face was found.",
    ]
    keys = [
        f'<span class="key" style="background:{colour(index)}"></span>{html.escape(each)}&emsp;'
        for index, each in enumerate(summary.class_names)
    ]
    return _PAGE.format(
        title=f"Expressions in {html.escape(name)}",
        style=_STYLE.read_text(encoding="utf-8").rstrip(),
        summary=" ".join(part for part in told if part),
        keys="".join(keys),
        people="\n".join(_format_person(person, summary) for person in people),
    )


def colour(index: int) -> str:
    """Returns the colour of the class at a position."""
    return _COLOURS[index % len(_COLOURS)]


def format_time(seconds: float) -> str:
    """Writes a moment of a video.

    >>> format_time(75.25), format_time(3675.25)
    ('1:15.2', '1:01:15.2')
    """
    tenths = int(10 * seconds)
    minutes, rest = divmod(tenths // 10, 60)
    hours, minutes = divmod(minutes, 60)
    start = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{start}:{rest:02d}.{tenths % 10}"


def _format_person(person, summary):
    rows = [
        f"<tr><td>{html.escape(name)}</td><td>{100 * share:.0f} %</td></tr>"
        for name, share in sorted(person.shares.items(), key=lambda pair: -pair[1])
        if share
    ]
    moments = [
        f'<figure><img src="data:image/jpeg;base64,{base64.b64encode(picture).decode()}" alt="face {person.id}, '
        f'{html.escape(name)}"><figcaption>{html.escape(name)} {100 * probability:.0f} %<br>at {format_time(time)}'
        "</figcaption></figure>"
        for name, (probability, time, picture) in sorted(person.clearest.items(), key=lambda pair: -pair[1][0])
    ]
    return f"""\
<section>
<h2>Face {person.id}</h2>
<p>Seen {person.frames:,} times from {format_time(person.first)} to {format_time(person.last)}; {person.unsure:,} \
answers were unsure.</p>
{_draw_series(person, summary)}
<table><thead><tr><th>expression</th><th>share of time</th></tr></thead><tbody>{"".join(rows)}</tbody></table>
<h3>Clearest moments</h3>
<div class="moments">{"".join(moments)}</div>
</section>"""


def _draw_series(person, summary):
    """Stacked areas; where the face was not seen, nothing."""
    times, probabilities = summary.series(person)
    step = summary.bin_seconds
    length = max(summary.duration, step)
    # A gap of several steps is one between looks, unless it is longer than the usual one.
    usual = max(step, 2.5 * summary.duration / max(1, summary.frames - 1))
    breaks = np.flatnonzero(np.diff(times) > usual + step) + 1
    shapes = []
    for part in np.split(np.arange(len(times)), breaks):
        x = times[part] / length * _WIDTH
        x = np.concatenate([[x[0] - step / 2 / length * _WIDTH], x, [x[-1] + step / 2 / length * _WIDTH]])
        first, last = part[:1], part[-1:]
        heights = probabilities[np.concatenate([first, part, last])]
        tops = np.cumsum(heights, axis=1)
        bottoms = tops - heights
        for index in range(heights.shape[1]):
            upper = zip(x, _HEIGHT * (1 - tops[:, index]), strict=True)
            lower = zip(x[::-1], _HEIGHT * (1 - bottoms[::-1, index]), strict=True)
            points = " ".join(f"{a:.1f},{b:.1f}" for a, b in [*upper, *lower])
            shapes.append(f'<polygon points="{points}" fill="{colour(index)}"/>')
    ticks = [
        f'<text x="{_WIDTH * share:.0f}" y="{_HEIGHT + 16}" font-size="12" fill="currentColor" '
        f'text-anchor="{anchor}">'
        f"{format_time(length * share)}</text>"
        for share, anchor in ((0, "start"), (0.25, "middle"), (0.5, "middle"), (0.75, "middle"), (1, "end"))
    ]
    return (
        f'<figure><svg class="time" viewBox="0 0 {_WIDTH} {_HEIGHT + 20}" role="img" '
        f'aria-label="expressions of face {person.id} over time">{"".join(shapes)}'
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="none" '
        f'stroke="currentColor" stroke-opacity="0.4"/>{"".join(ticks)}</svg></figure>'
    )
