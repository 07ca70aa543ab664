"""A cross-validated ensemble of small networks that reads facial expressions from 48x48 grey faces (FER2013)."""

import os

__version__ = "0.1.0"

# ONNX Runtime 1.32 keeps an identifier of the machine in the home folder and reports its use over the network,
# unless this is set before it is imported. Whoever wants that sets it to 0.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
