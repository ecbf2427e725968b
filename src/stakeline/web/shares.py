"""How many connections each process has, of several that take them from one socket."""

from __future__ import annotations

import mmap
import os
import sys
import tempfile
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from typing import IO

_ABSENT = 2**32 - 1


class Share:
    """One process's number of connections, and the others', in memory that all of them see.

    Args:
        fd: of a file that `made` has made.
        number: which process it is, from 0.
    """

    def __init__(self, fd: int, number: int) -> None:
        self._counts = memoryview(mmap.mmap(fd, 0)).cast("I")
        self._number = number

    @staticmethod
    def made(count: int) -> IO[bytes]:
        """A file in memory, for as many processes, none of which takes connections yet."""
        if sys.platform == "linux":
            file: IO[bytes] = os.fdopen(os.memfd_create("shares"), "w+b")
        else:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        file.write(_ABSENT.to_bytes(4, sys.byteorder) * count)
        file.flush()
        return file

    @classmethod
    def read(cls, written: str) -> Self:
        """The one that is written as its fd and its number: `7:0`."""
        fd, number = map(int, written.split(":"))
        return cls(fd, number)

    def absent(self) -> None:
        """Note that this process takes no connections."""
        self._counts[self._number] = _ABSENT

    def room(self, own: int) -> int:
        """Note how many connections this process has, and say how many more are its share.

        It is one more than the process with the least of them has, and an eighth, so that thousands
        are taken soon; 0 or less where that is had already.
        """
        self._counts[self._number] = own
        least = min(self._counts)
        return least + 1 + least // 8 - own
