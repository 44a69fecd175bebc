"""Let a generator work ahead in a thread of its own while its consumer works on what came before.

Worth it where both sides spend their time in code that releases the GIL: decompression, compiled kernels, Parquet.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from typing import TypeVar

T = TypeVar("T")
_END = object()


def prefetch(items: Generator[T, None, None], depth: int = 2) -> Iterator[T]:
    """Yield what `items` yields, in order, at most `depth` of them computed ahead.

    An error of `items` is raised here, in its place. When the consumer stops early the thread ends before this
    generator does. The items must not share a buffer.
    """
    ready: queue.Queue[object] = queue.Queue(depth)
    stopped = threading.Event()
    failure: list[BaseException] = []

    def offer(item: object) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.05)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not offer(item):
                    break
        except BaseException as error:
            failure.append(error)
        finally:
            items.close()
            offer(_END)

    thread = threading.Thread(target=work, name="prefetch", daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not _END:
            yield item  # pyright: ignore[reportReturnType]
    finally:
        stopped.set()
        thread.join()
    if failure:
        raise failure[0]
