"""Serves a page, and an HTTP interface, that find faces in pictures and say which expression they show.

    fer-ensemble serve
    fer-ensemble serve --model=experiments --port=9000
    fer-ensemble serve --host=0.0.0.0 --token=new

Then open the address that it prints. Pictures are dropped, chosen or pasted there, or come from the camera;
programs send them to /api/faces. They are read in memory and not kept. Only this machine reaches the server,
unless --host says otherwise; then whoever asks needs the token. Ctrl-C, or SIGTERM, ends it when what is in flight
is finished.
"""

import importlib.resources
import os
import secrets
import sys

from absl import flags

from fer_ensemble.base.errors import UserError
from fer_ensemble.commands import edge
from fer_ensemble.serve.serve_settings import NEW_TOKEN, TOKEN_VARIABLE, ServeSettings


def define_flags() -> None:
    """Defines the flags of the command."""
    flags.DEFINE_string(
        "model", None, "An .onnx or .keras file, or the folder of an ensemble. The network that ships by default."
    )
    flags.DEFINE_float(
        "unsure_below", None, "A probability below which an answer is called unsure. The network's own by default."
    )
    edge.define_flags(ServeSettings)


def main(arguments: list[str]) -> None:
    """Serves until a signal comes."""
    if arguments:
        raise UserError(f"Expected flags alone. Received: {' '.join(arguments)}. A model is given by --model.")
    settings = _read_settings()
    from fer_ensemble.serve import server  # what takes time to import comes after what may be wrong

    listening = server.listen(settings)
    from fer_ensemble.classifier.classifier import load

    classifier = load(flags.FLAGS.model, unsure_below=flags.FLAGS.unsure_below)
    server.warm_up(classifier)

    def tell():
        print(f"Listening on {server.address_of(listening, settings)}", flush=True)
        print("Ctrl-C ends it.", file=sys.stderr, flush=True)

    server.make_server(classifier, settings, _read_card(), tell).run(sockets=[listening])


def _read_card():
    card = importlib.resources.files("fer_ensemble") / "assets" / "card.md"
    return card.read_text(encoding="utf-8") if flags.FLAGS.model is None and card.is_file() else ""


def _read_settings():
    token = flags.FLAGS.token or os.environ.get(TOKEN_VARIABLE, "")
    flags.FLAGS.token = secrets.token_urlsafe(24) if token == NEW_TOKEN else token
    return edge.settings_from_flags(ServeSettings)
