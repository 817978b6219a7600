"""Workers that carry out blocks: processes of this machine, or a dask.distributed cluster."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pebble import ProcessExpired, ProcessPool

from inpaintbench.benchmarks import isolation
from inpaintbench.datasets.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

LOCAL = "local:"  # --cluster local:4 starts one here
ATTEMPTS = 3  # at a block whose worker was lost
PATIENCE = "10s"  # for a cluster to answer
CLOSING = 10.0  # seconds for workers to end by themselves

# A function, and what makes its arguments: once more where a worker was lost with some of them.
Task = tuple[Callable[..., Any], Callable[[], tuple[Any, ...]]]


@dataclass(frozen=True)
class Workers:
    """Where blocks are carried out.

    Attributes
    ----------
    submit : takes a function and its arguments, and returns a future
    slots : how many blocks can be in work at a time
    client : of the cluster, if it is one
    """

    submit: Callable[..., "Future[Any]"]
    slots: int
    client: "Client | None" = None


@contextmanager
def open_workers(jobs: int, cluster: str = "") -> Iterator[Workers]:
    """Start worker processes, or connect to a cluster.

    Parameters
    ----------
    jobs : processes of this machine, where `cluster` is empty
    cluster : address of a dask scheduler, as "tcp://10.0.0.1:8786", or "local:4" to start a cluster
        of four workers here

    Raises
    ------
    InputError
        If the cluster does not answer, has no workers, or runs another version of inpaintbench.
    """
    if cluster:
        with _dask_client(cluster) as client:
            _check_versions(client)
            slots = sum(client.nthreads().values())
            executor = client.get_executor(pure=False, retries=ATTEMPTS - 1)
            yield Workers(executor.submit, slots, client)
        return
    # What a killed worker leaves behind, Python cleans up by itself; no user need hear of it.
    os.environ.setdefault("PYTHONWARNINGS", "ignore:resource_tracker:UserWarning")
    # skimage.io reads the bundled photographs.
    context = isolation.forking_context(["inpaintbench.benchmarks.blocks", "skimage.io"])
    # A worker that is stopped while it ends does not clean up: what all leave is in one folder.
    with isolation.folder_to_share() as folder:
        pool = ProcessPool(jobs, initializer=_begin, initargs=[folder], context=context)

        def submit(function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
            with isolation.undisturbed():  # it starts the workers
                future: Future[Any] = pool.schedule(function, args=arguments)
            return future

        try:
            yield Workers(submit, jobs)
            pool.close()
            with suppress(TimeoutError):
                pool.join(CLOSING)
        finally:
            isolation.end_pool(pool)


def as_finished(workers: Workers, tasks: Iterable[tuple[Any, Task]]) -> Iterator[tuple[Any, Any]]:
    """Carry out tasks, never more than twice as many at a time as there are slots.

    Yields
    ------
    name, result
        Of every task, in the order in which they end.

    Raises
    ------
    InputError
        If a task's worker was lost three times.
    """
    waiting: dict[Future[Any], tuple[Any, Task, int]] = {}

    def send(name: Any, task: Task, attempt: int) -> None:
        function, arguments = task
        waiting[workers.submit(function, *arguments())] = (name, task, attempt)

    def receive() -> Iterator[tuple[Any, Any]]:
        done, _ = wait(waiting, return_when=FIRST_COMPLETED)
        for future in done:
            name, task, attempt = waiting.pop(future)
            try:
                result = future.result()
            except (ProcessExpired, CancelledError) as error:
                if attempt == ATTEMPTS:
                    raise _lost(name, str(error)) from error
                send(name, task, attempt + 1)
                continue
            except Exception as error:
                if type(error).__name__ == "KilledWorker":  # dask's, which tried again by itself
                    raise _lost(name, str(error)) from error
                raise
            yield name, result

    for name, task in tasks:
        send(name, task, 1)
        while len(waiting) >= 2 * workers.slots:
            yield from receive()
    while waiting:
        yield from receive()


def _lost(name: Any, reason: str) -> InputError:
    return InputError(
        f"the worker of {name} was lost {ATTEMPTS} times ({reason}), for want of memory perhaps; "
        "what is finished is kept: run the same command again"
    )


def _begin(folder: Path) -> None:
    """Set a worker up: it leaves Ctrl-C to its parent, and ends with it and its files."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    isolation.use_shared_folder(folder)


@contextmanager
def _dask_client(cluster: str) -> Iterator["Client"]:
    """Connect to a cluster, or start one; dask is imported only here."""
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise InputError(f"--cluster: {error}; pip install 'inpaintbench[cluster]'") from error

    # Its workers start processes themselves, which daemons must not.
    settings = {"distributed.worker.daemon": False, "distributed.comm.timeouts.connect": PATIENCE}
    with dask.config.set(settings):
        if cluster.startswith(LOCAL):
            count = cluster.removeprefix(LOCAL)
            if not count.isdecimal() or not int(count):
                raise InputError(f"--cluster {cluster}: write local:4 for four workers")
            with (
                LocalCluster(int(count), threads_per_worker=1, dashboard_address=None) as own,
                Client(own) as client,
            ):
                yield client
            return
        try:
            client = Client(cluster, timeout=PATIENCE)
        except Exception as error:  # each protocol fails in its own way
            raise InputError(f"--cluster {cluster} does not answer: {error}") from error
        with client:
            yield client


def _check_versions(client: "Client") -> None:
    """Raise an `InputError` where a worker has another version of inpaintbench, or there is none.

    Other code would give other scores under the same name.
    """
    ours = own_version()
    try:
        found: Mapping[str, str] = client.run(own_version)
    except Exception as error:  # whatever a worker without inpaintbench says
        raise InputError(f"the cluster's workers cannot run inpaintbench: {error}") from error
    if not found:
        raise InputError("the cluster has no workers; start some with `dask worker ADDRESS`")
    for address, theirs in found.items():
        if theirs != ours:
            raise InputError(
                f"worker {address} has inpaintbench {theirs}, this is {ours}; install the same"
            )


def own_version() -> str:
    """Name the version of inpaintbench in this process, and of its source."""
    from inpaintbench.benchmarks.reuse import source_digest

    return f"{version('inpaintbench')} (source {source_digest()})"
