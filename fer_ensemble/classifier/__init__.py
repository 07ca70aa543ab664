"""One kind of thing to hold in one's hands, whether an ONNX file or an ensemble answers."""
