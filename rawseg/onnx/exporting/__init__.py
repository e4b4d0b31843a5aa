"""rawseg's networks as ONNX files.

A network runs on examples while a recorder writes its operations down (``recording``); the recordings become one program
(``agreement``, ``simplification``), whose steps are translated one by one (``writer``, ``translations``) into nodes
(``model_builder``), and the result is checked (``checking``). Mask R-CNN, which chooses boxes in between, has its own room.
"""

from .pipeline import export

__all__ = ["export"]
