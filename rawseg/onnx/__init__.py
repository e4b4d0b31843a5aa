"""ONNX both ways: networks of elsewhere on rawseg's kernels, and rawseg's networks for elsewhere."""
