"""Networks that are named on the command line: the one that ships, files, ensembles, other people's."""

import contextlib
import dataclasses
import importlib.resources
import importlib.util
import pathlib
import traceback

from fer_ensemble.base.atomic_files import hash_file
from fer_ensemble.base.errors import UserError
from fer_ensemble.base.network_protocol import Network
from fer_ensemble.ensemble import ensemble_file
from fer_ensemble.members import directory

SHIPPED = "shipped"
ADAPTER = "load_network"


@dataclasses.dataclass(frozen=True)
class NamedNetwork:
    """A network, what it is called, and what it is made of.

    Attributes:
        name: Short, different for each of those that are named together.
        path: `pathlib.Path`, None for the network that ships.
        network: What answers (see `fer_ensemble.base.network_protocol.Network`).
        bytes: Size of the files that it is made of; None where that is not known.
        sha256: Of the file that tells it from others; None where there is none.
    """

    name: str
    path: pathlib.Path | None
    network: Network
    bytes: int | None
    sha256: str | None


def load_networks(models: list[str]) -> list[NamedNetwork]:
    """Loads networks.

    Args:
        models: Each is `shipped`, or the path of an `.onnx` or `.keras` file, of an ensemble's folder, or of a
            `.py` file, which is run: its `load_network()` returns what answers for a network from elsewhere.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        UserError: If it is none of these, or none is named.
    """
    if not models:
        raise UserError(
            f"Expected a network: {SHIPPED}, an .onnx or .keras file, or the folder of an ensemble. "
            "Received: none."
        )
    return [
        dataclasses.replace(_load(model), name=name)
        for model, name in zip(models, name_apart(models), strict=True)
    ]


def _load(model):
    path = None if model == SHIPPED else pathlib.Path(model)
    if path is not None and path.suffix == ".py":
        return _load_adapter(path)
    from fer_ensemble.classifier import classifier

    network = classifier.load(path).network
    if path is not None and path.is_dir():
        files = [path / ensemble_file.NAME, *_member_models(path)]
        return NamedNetwork("", path, network, sum(one.stat().st_size for one in files), hash_file(files[0]))
    file = path or importlib.resources.files("fer_ensemble") / "assets" / classifier.SHIPPED
    return NamedNetwork("", path, network, file.stat().st_size, hash_file(file))


def _load_adapter(path):
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    specification = importlib.util.spec_from_file_location(f"adapter_{path.stem}", path)
    module = importlib.util.module_from_spec(specification)
    with _naming_faults(path):
        specification.loader.exec_module(module)
    if not hasattr(module, ADAPTER):
        raise UserError(f"{path} must define {ADAPTER}(), which returns what answers. Received: a file without.")
    with _naming_faults(path):
        network = getattr(module, ADAPTER)()
    missing = [name for name in ("class_names", "about", "unsure_below", "predict") if not hasattr(network, name)]
    if missing:
        raise UserError(f"{ADAPTER}() of {path} must return what has {', '.join(missing)}. Received: {network!r}.")
    if not isinstance(network.about, dict) or not isinstance(network.unsure_below, int | float):
        raise UserError(
            f"{ADAPTER}() of {path} must return what has `about`, a dictionary, and `unsure_below`, a number. "
            f"Received: {network.about!r:.60} and {network.unsure_below!r:.60}."
        )
    return NamedNetwork("", path, network, network.about.get("bytes"), network.about.get("sha256"))


@contextlib.contextmanager
def _naming_faults(path):
    """What an adapter raises, or that it ends the process, is its author's to mend: told as such."""
    try:
        yield
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        lines = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
        ]
        place = f"{path}, line {lines[-1]}" if lines else str(path)
        reason = str(error).splitlines()[0][:200] if str(error) else ""
        raise UserError(
            f"{place}: {ADAPTER}() must return a network, but raised {type(error).__name__}: {reason}. "
            "Mend it; --verbosity=1 shows where."
        ) from error


def _member_models(folder):
    weights = ensemble_file.read_record(folder).weights
    return [folder / member / directory.MODEL for member, weight in weights.items() if weight > 0]


def name_apart(models: list[str]) -> list[str]:
    """Short names: the last part of each path, with those before it where that is not enough."""
    parts = [list(pathlib.Path(model).with_suffix("").parts if model else [model]) for model in models]
    names = []
    for number, own in enumerate(parts):
        length = 1
        while length < len(own) and any(
            other[-length:] == own[-length:] for index, other in enumerate(parts) if index != number
        ):
            length += 1
        names.append("-".join(part for part in own[-length:] if part not in ("/", "..", ".")) or "network")
    return [
        name if names.count(name) == 1 else f"{name}-{names[:index].count(name) + 1}"
        for index, name in enumerate(names)
    ]
