"""Saying that a method is being compiled: its first run on a machine is slower than the next."""

from typing import ClassVar

from numba.core.event import Event, Listener

from inpaintbench.benchmarks import isolation


class Announcement(Listener):
    """Says, once for each method in this process, that numba compiles for it.

    Numba keeps what it compiled beside the methods or in the user's cache, so that later runs on
    the same machine start at once.
    """

    told: ClassVar[set[str]] = set()

    def __init__(self, label: str) -> None:
        self.label = label

    def on_start(self, event: Event) -> None:
        """Say so, if that was not said yet."""
        if self.label not in self.told:
            self.told.add(self.label)
            text = f"{self.label}: compiling, once for this machine"
            print(text, file=isolation.user_stderr, flush=True)

    def on_end(self, event: Event) -> None:
        """Nothing is left to say."""
