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
        memory: four bytes for each process.
        number: which process it is, from 0.
    """

    def __init__(self, memory: mmap.mmap, number: int) -> None:
        self._counts = memoryview(memory).cast("I")
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
    def of(cls, fd: int, number: int) -> Self:
        """A process's, in a file that `made` has made.

        Raises:
            OSError: there is no room for it.
        """
        return cls(mmap.mmap(fd, 0), number)

    @classmethod
    def read(cls, written: str) -> Self:
        """The same, with its fd and its number as a text: `7:0`."""
        fd, number = map(int, written.split(":"))
        return cls.of(fd, number)

    @classmethod
    def whole(cls) -> Self:
        """That of the only process."""
        return cls(mmap.mmap(-1, 4), 0)

    def absent(self) -> None:
        """Note that this process takes no connections."""
        self._counts[self._number] = _ABSENT

    def note(self, connections: int) -> None:
        """Note how many this process has."""
        self._counts[self._number] = connections

    def least(self) -> int:
        """The least that any other process has; very many where no other one takes any."""
        counts = self._counts.tolist()
        del counts[self._number]
        return min(counts, default=_ABSENT)
