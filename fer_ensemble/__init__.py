"""A cross-validated ensemble of small networks that reads facial expressions from 48x48 grey faces (FER2013)."""

__version__ = "0.1.0"
