"""A process that runs a method, and that may hang, crash or eat memory without harm to anyone else.

`Isolation` is the parent's side; `confine` sets the process up before a method's code gets there.
What the process does for a method is in `workers.py`.
"""

import faulthandler
import multiprocessing
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from multiprocessing import resource_tracker
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any, TextIO

from pebble import ProcessExpired, ProcessFuture, ProcessPool

# One thread a process: so that processes do not fight for cores, and so that no score depends on
# how many threads shared a sum. The libraries read it when they are first imported.
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "OPENCV_FOR_THREADS_NUM",
    ),
    "1",
)
MEMORY, PREFIX = "/dev/shm", "inpaintbench-"  # a folder that is no disk, and what we call ours
LEADER, FAULTS = ".leader", "faults.txt"
SPARE_PROCESSES = 512  # that a user may start while a method runs, before it cannot fork any more

_shared_folder: Path | None = None  # where others see to the removal of what this process leaves
user_stderr: TextIO = sys.stderr  # what a method prints is not heard, but our own words are


@dataclass(frozen=True)
class Limits:
    """What a method may use.

    Attributes
    ----------
    seconds : for a case restored alone, or on average over those that are restored together; where
        these take longer, each is restored alone
    gibibytes : of memory, for the process that runs it
    """

    seconds: float = 60.0
    gibibytes: float = 8.0


class MethodFailed(Exception):
    """A method did not answer.

    Attributes
    ----------
    status : "error", "timeout", "crash" or "oom"
    message : one line
    traceback : where it happened, as far as that is known
    """

    def __init__(self, status: str, message: str, traceback: str = "") -> None:
        super().__init__(status, message, traceback)
        self.status, self.message, self.traceback = status, message, traceback


def memory_folder() -> Path:
    """Where files for other processes may stand, in memory if that is to be had.

    It goes with this process: should this be killed, its last isolated process removes it.
    """
    return _memory_folder(os.getpid())


@cache
def _memory_folder(_process: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_shared_folder or _memory()))
    Finalize(None, remove_folder, (folder,), exitpriority=0)  # also in a child process
    return folder


@contextmanager
def folder_to_share() -> Iterator[Path]:
    """Name a folder in memory for processes to come; the first that needs it makes it."""
    folder = _memory() / f"{PREFIX}{secrets.token_hex(8)}"
    try:
        yield folder
    finally:
        remove_folder(folder)


def use_shared_folder(folder: Path) -> None:
    """Put all temporary files of this process into such a folder, and remove it with its parent."""
    global _shared_folder
    folder.mkdir(mode=0o700, exist_ok=True)
    _shared_folder, tempfile.tempdir = folder, str(folder)  # multiprocessing leaves some, too
    end_with_parent(folder)
    Finalize(None, _remove_if_orphaned, (folder,), exitpriority=-1)  # its end may come first


def _remove_if_orphaned(folder: Path) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        remove_folder(folder)


def _memory() -> Path:
    return Path(MEMORY if os.access(MEMORY, os.W_OK) else tempfile.gettempdir())


def remove_folder(folder: Path) -> None:
    """Remove a folder, also while processes that are about to end still write to it."""
    for _ in range(10):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return


class Isolation:
    """One process for one method, started anew after it died or had to be killed.

    Attributes
    ----------
    answered : bool
        Whether the process has answered since it was started.
    pace : float
        Seconds that a case takes as was last measured, infinite until then.
    folder : Path
        What the process says of itself.

    Parameters
    ----------
    gibibytes : of memory that the process may take
    libraries : modules that every such process imports; those are imported once, and then forked
        where the system can do that
    """

    def __init__(self, gibibytes: float, libraries: Sequence[str] = ()) -> None:
        self.answered, self.pace = False, float("inf")
        self.folder = Path(tempfile.mkdtemp(dir=memory_folder()))
        self._asked: ProcessFuture[Any] | None = None
        arguments = [int(gibibytes * 2**30), str(self.folder)]
        self._pool = ProcessPool(
            1,
            initializer=confine,
            initargs=arguments,
            context=forking_context(["inpaintbench.benchmarks.workers", *libraries]),
        )

    def call(self, function: Callable[..., Any], *arguments: Any, seconds: float) -> Any:
        """Call a function of `workers.py` in the process.

        Raises
        ------
        MethodFailed
            If it raises, does not end in time, or takes the process down.
        """
        try:
            with undisturbed():
                self._asked = self._pool.schedule(function, args=arguments, timeout=seconds)
            answer = self._asked.result()
            self.answered = True
            return answer
        except FutureTimeout:  # a method's own TimeoutError comes back as a MethodFailed
            problem = MethodFailed("timeout", "took longer than --timeout allows")
        except ProcessExpired as error:
            problem = MethodFailed("crash", _how_it_died(error.exitcode), self._last_words())
        except MethodFailed as error:
            raise error from None
        except Exception as error:  # an answer that cannot be sent between processes
            raise MethodFailed("error", f"{type(error).__name__}: {error}") from None
        self._kill_families()
        raise problem

    def _last_words(self) -> str:
        with suppress(OSError):
            return (self.folder / FAULTS).read_text(errors="replace")
        return ""

    def _kill_families(self, living: bool = False) -> None:
        """Kill whatever a process started that has died, or is `living`: it leads its own group.

        After one that died, the next may have begun by now.
        """
        self.answered = False
        for file in self.folder.glob(f"*{LEADER}"):
            leader = int(file.stem)
            if hasattr(os, "killpg") and (living or not _lives(leader)):
                with suppress(OSError):  # none is left
                    os.killpg(leader, signal.SIGKILL)
                file.unlink(missing_ok=True)

    def close(self) -> None:
        """End the process, and all that it started; a thread that waits for its answer goes on."""
        self._kill_families(living=True)
        if self._asked:
            self._asked.cancel()
        end_pool(self._pool)
        shutil.rmtree(self.folder, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True


_own = threading.local()  # a worker of a cluster may have several threads, each with its process
_open: list[Isolation] = []  # of all threads


def isolated(label: str, gibibytes: float, libraries: Sequence[str] = ()) -> Isolation:
    """Give this thread's process for a method: another method gets a fresh one."""
    key = (label, gibibytes)
    if getattr(_own, "key", None) != key or _own.isolation not in _open:
        _end_with_this_process(os.getpid())
        end_isolated()
        os.environ.update(ONE_THREAD)  # for the processes to come
        _may_have_children()
        _own.isolation, _own.key = Isolation(gibibytes, libraries), key
        _open.append(_own.isolation)
    isolation: Isolation = _own.isolation
    return isolation


def _may_have_children() -> None:
    """Take the mark of a daemon off this process, which must not start any.

    A dask worker under its nanny bears it; ours end with their parent by themselves.
    """
    multiprocessing.current_process()._config.pop("daemon", None)  # type: ignore[attr-defined]


def end_isolated() -> None:
    """End this thread's process, if it has one."""
    if getattr(_own, "isolation", None) in _open:
        _open.remove(_own.isolation)
        _own.isolation.close()


@cache
def _end_with_this_process(_process: int) -> None:
    """See to it that the processes of all threads end with this one, which waits for them."""

    def end_all() -> None:
        while _open:
            _open.pop().close()

    Finalize(None, end_all, exitpriority=1)  # also in a child process


def forking_context(modules: Sequence[str]) -> Any:
    """Choose how processes start: forked from one that has imported modules and has no threads.

    Never forked from a process with threads or a GPU, which may hang. The modules of the first call
    in a process count.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(modules))
    return context


@contextmanager
def undisturbed() -> Iterator[None]:
    """Keep Ctrl-C from processes that start in the block; this one hears of it afterwards.

    While they import what they need, they would print where it met them; and one whose start was
    broken off here could not be ended.
    """
    pressed: list[int] = []
    usual = None
    if threading.current_thread() is threading.main_thread():  # the only one that hears of it
        usual = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        with _inherited_mask():
            yield
    finally:
        if usual is not None:
            signal.signal(signal.SIGINT, usual)
    for number in pressed[:1]:
        signal.raise_signal(number)


@contextmanager
def _inherited_mask() -> Iterator[None]:
    """Block Ctrl-C in this thread, and in processes that it starts."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # whose start would lift the mask
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_pool(pool: ProcessPool) -> None:
    """End a pool and its processes at once.

    Those that are just starting would complain, were they not killed before their pool is gone.
    """
    pool.stop()
    inside: Any = pool
    with suppress(AttributeError):  # nothing was begun, or a later version of pebble is otherwise
        inside._pool_manager_loop.join()  # which starts others for those that die
        for process in [*inside._pool_manager.worker_manager.workers.values()]:
            process.kill()
    pool.join()


def _how_it_died(exitcode: int) -> str:
    if exitcode < 0:
        return f"the process was killed by {signal.Signals(-exitcode).name}"
    return f"the process ended with exit code {exitcode}"


def confine(memory: int, folder: str) -> None:
    """Set limits in the process that is to run a method, before it does.

    It leads a process group of its own, dies with its parent, prints nowhere, and may take `memory`
    bytes. `folder` receives its number, and what it was doing when it crashes.
    """
    with suppress(AttributeError, OSError):  # no such thing on Windows; a leader already
        os.setsid()
    end_with_parent(Path(folder).parent)
    _limit("RLIMIT_DATA", memory)
    _limit("RLIMIT_CORE", 0)
    if tasks := _tasks_of_user():
        _limit("RLIMIT_NPROC", tasks + SPARE_PROCESSES)
    global user_stderr  # noqa: PLW0603  (set once, before anything reads it)
    user_stderr = os.fdopen(os.dup(2), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    (Path(folder) / f"{os.getpid()}{LEADER}").touch()
    faults = open(Path(folder) / FAULTS, "w")  # noqa: SIM115  (for as long as the process lives)
    faulthandler.enable(faults)


def end_with_parent(left_behind: Path | None = None) -> None:
    """Let this process end when its parent does, however that came: a hung one would not notice.

    One that leads a process group takes the group along. `left_behind` is a folder of the parent's,
    to be removed then: a killed one cannot.
    """
    threading.Thread(target=_wait_for_parent, args=[left_behind], daemon=True).start()


def _wait_for_parent(left_behind: Path | None) -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        if left_behind:
            remove_folder(left_behind)
        if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
            os.killpg(os.getpid(), signal.SIGKILL)
        os._exit(1)


def _limit(name: str, value: int) -> None:
    """Lower a limit of this process, where the system has it."""
    try:
        import resource
    except ImportError:  # Windows
        return
    which = getattr(resource, name, None)
    if which is None:
        return
    hard = resource.getrlimit(which)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(which, (value, value))


def _tasks_of_user() -> int:
    """Count the processes and threads of this user, which the limit counts; 0 if unknown."""
    count = 0
    for tasks in Path("/proc").glob("[0-9]*/task"):
        with suppress(OSError):
            if tasks.stat().st_uid == os.getuid():
                count += len(list(tasks.iterdir()))
    return count
