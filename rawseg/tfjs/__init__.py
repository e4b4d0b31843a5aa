"""Networks in TensorFlow.js's form: a model.json and the weights beside it, as `rawseg.onnx.Graph`.

>>> from rawseg import tfjs
>>> sorted(tfjs.operations())[:3]
['Abs', 'Add', 'AddN']
"""

from .loading import load, operations

__all__ = ["load", "operations"]
