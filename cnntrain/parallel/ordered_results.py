"""Results of a thread pool in the order of the tasks, with a bounded number of tasks in flight."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def ordered_results(pool: ThreadPoolExecutor, tasks: Iterable[Future[T] | T], ahead: int) -> Iterator[T]:
    """Yield the results of ``tasks`` in order; shut down the pool at the end, or when the caller stops early.

    Args:
        pool: The pool that runs the tasks.
        tasks: Futures of the pool, submitted while this iterator advances, or results that need no work.
        ahead: How many tasks to submit before the first result is taken.
    """
    pending: deque[Future[T] | T] = deque()
    try:
        for task in tasks:
            pending.append(task)
            if len(pending) > ahead:
                yield _result(pending.popleft())
        while pending:
            yield _result(pending.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _result(task: Future[T] | T) -> T:
    return task.result() if isinstance(task, Future) else task
