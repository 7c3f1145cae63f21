# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The frames that go between the host and the agent in the bed.

A frame is one byte of type, four bytes of length (least significant first) and
the content. bed/agent.c, the other end, lists the types.
"""

import struct
from typing import List, Tuple

HELLO = b"\nHUTCH-BED-1\n"
"""Comes before the agent's first frame; what stands before it is line noise."""

OUTPUT, ERROR, STATUS = b"O", b"E", b"X"
INPUT, WINDOW = b"I", b"W"

CONTENT_MAX = 4096
"""The most that the agent takes in one frame."""

_HEADER = struct.Struct("<cI")


def frame(kind: bytes, content: bytes = b"") -> bytes:
    """One frame as bytes."""
    return _HEADER.pack(kind, len(content)) + content


def window_frame(rows: int, columns: int) -> bytes:
    """The frame that tells the size of the terminal."""
    return frame(WINDOW, struct.pack("<HH", rows, columns))


class Decoder:
    """Takes bytes as they come and gives back whole frames."""

    def __init__(self) -> None:
        self._pending = b""
        self.greeted = False
        """Whether the agent has said HELLO: the bed is up."""

    def feed(self, received: bytes) -> List[Tuple[bytes, bytes]]:
        """The (type, content) of every frame that @received completes."""
        self._pending += received
        if not self.greeted:
            _, hello, rest = self._pending.partition(HELLO)
            if not hello:
                return []
            self.greeted = True
            self._pending = rest
        frames = []
        while len(self._pending) >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._pending)
            end = _HEADER.size + length
            if len(self._pending) < end:
                break
            frames.append((kind, self._pending[_HEADER.size:end]))
            self._pending = self._pending[end:]
        return frames
