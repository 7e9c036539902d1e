"""Work done one step ahead: the next batch is read and typed while the server takes the previous one."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

_DEPTH = 1  # batches waiting: enough to keep both sides busy, little enough to bound the memory
_POLL_SECONDS = 0.1  # how soon the thread notices that nobody listens any more


def ahead(items: Generator[T, None, None]) -> Generator[T, None, None]:
    """The same items in the same order, made in a thread; what `items` raises is raised here.

    Closing the iterator before its end stops the thread and closes `items`.
    """
    queue: Queue[T | _End] = Queue(_DEPTH)
    stopped = Event()
    thread = Thread(target=_work, args=(items, queue, stopped), name="vigie-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        stopped.set()
        thread.join()


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def _work(items: Generator[T, None, None], queue: Queue[T | _End], stopped: Event) -> None:
    try:
        with closing(items):
            for item in items:
                if not _offer(item, queue, stopped):
                    return
    except BaseException as error:  # whatever it is, it belongs to the caller's thread
        _offer(_End(error), queue, stopped)
    else:
        _offer(_End(None), queue, stopped)


def _offer(item: T | _End, queue: Queue[T | _End], stopped: Event) -> bool:
    """True when the item was taken, False when the caller no longer wants any."""
    while not stopped.is_set():
        try:
            queue.put(item, timeout=_POLL_SECONDS)
        except Full:
            continue
        return True
    return False
