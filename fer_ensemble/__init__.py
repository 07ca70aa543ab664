"""Facial expressions from faces: a network that ships, and the cross-validated ensemble that taught it.

>>> import fer_ensemble
>>> classifier = fer_ensemble.load()  # doctest: +SKIP
>>> classifier.find_faces("party.jpg")  # doctest: +SKIP
"""

import importlib
import os

__version__ = "0.1.0"
__all__ = ["__version__", "load"]

# ONNX Runtime 1.32 keeps an identifier of the machine in the home folder and reports its use over the network,
# unless this is set before it is imported. Whoever wants that sets it to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Imported when they are asked for: the commands' --help and `__version__` need none of it.
_ELSEWHERE = {"load": "fer_ensemble.classifier.classifier"}


def __getattr__(name: str) -> object:
    if name in _ELSEWHERE:
        return getattr(importlib.import_module(_ELSEWHERE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ELSEWHERE})
