"""A network that learnt nothing: the same graph, its weights in random order."""

import os

import numpy as np

from fer_ensemble.base.atomic_files import replacing


def shuffle_weights(path: str | os.PathLike, output: str | os.PathLike, seed: int = 0) -> None:
    """Writes an ONNX file's twin whose weights are shuffled within each array: the same values, no knowledge.

    Args:
        path: Path of the file.
        output: Path of the twin.
        seed: Of the order.

    Source:
        Adebayo et al. (2018), https://arxiv.org/abs/1810.03292: what an explanation of such a network should
        not be is that of the trained one.
    """
    import onnx

    model = onnx.load(path)
    random = np.random.default_rng(seed)
    for weight in model.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.ndim > 1 and values.dtype in (np.float32, np.float16, np.int8):
            shuffled = random.permutation(values.ravel()).reshape(values.shape)
            weight.CopyFrom(onnx.numpy_helper.from_array(shuffled, weight.name))
    with replacing(output) as temporary:
        temporary.write_bytes(model.SerializeToString())
