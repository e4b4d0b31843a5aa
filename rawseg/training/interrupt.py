"""Ctrl-C as a request that waits for the end of the batch, so that what is saved can be continued bit for bit."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

NOTICE = b"\nstopping after this batch; Ctrl-C again stops at once\n"


class Interrupt:
    """A block in which the first Ctrl-C only sets ``requested``, and the second raises KeyboardInterrupt.

    Outside the main thread, where Python delivers no signals, and where a program has a handler of its own, nothing changes.

    Attributes
    ----------
    requested : bool
        Whether Ctrl-C was pressed in the block.
    """

    def __init__(self) -> None:
        self.requested = False
        self._installed = False

    def __enter__(self) -> Interrupt:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._handle)
            self._installed = True
        return self

    def __exit__(self, *_exception: object) -> None:
        if self._installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            signal.default_int_handler(number, frame)
        self.requested = True
        os.write(2, NOTICE)  # not print: a signal may come in the middle of another print
