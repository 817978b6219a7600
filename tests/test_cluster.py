"""The same suite gives the same scores on any number of workers, here or on a cluster."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pandas as pd
import plugins
import psutil
import pytest
from distributed import Client, LocalCluster
from pebble import ProcessExpired
from test_run import carried_out, small

import inpaintbench.benchmarks
from inpaintbench.benchmarks.cluster import open_workers, own_version
from inpaintbench.benchmarks.isolation import memory_folder
from inpaintbench.datasets import InputError
from inpaintbench.methods import parse_method
from inpaintbench.reports import load_run

METHODS = ("mean", "patchmatch", "non-local-mean:search=set")


def scores_of(folder, methods, jobs=1, cluster="", suite=None):
    scores, _ = carried_out(folder, methods, jobs, suite or small(10), cluster=cluster)
    assert (scores["status"] == "ok").all(), scores["message"].unique()
    return scores.drop(columns="seconds")


def test_one_process_two_and_a_cluster_of_four_give_identical_scores(tmp_path):
    methods = [parse_method(name) for name in METHODS]
    one = scores_of(tmp_path / "1", methods)
    two = scores_of(tmp_path / "2", methods, jobs=2)
    four = scores_of(tmp_path / "4", methods, cluster="local:4")
    pd.testing.assert_frame_equal(one, two)
    pd.testing.assert_frame_equal(one, four)


@pytest.fixture
def cluster():
    """A cluster that was started by somebody else, with its workers under nannies."""
    with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as own:
        yield own


def test_a_lost_worker_costs_nothing(tmp_path, cluster):
    methods = [plugins.Slow(seconds=0.05)]
    killed = []

    def kill_one():
        while not list(tmp_path.glob("killed/scores.parquet/*/[!.]*")):
            time.sleep(0.05)
        with Client(cluster) as client:
            pid = next(iter(client.run(os.getpid).values()))
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)

    thread = threading.Thread(target=kill_one)
    thread.start()
    found = scores_of(tmp_path / "killed", methods, cluster=cluster.scheduler_address)
    thread.join()
    assert killed
    pd.testing.assert_frame_equal(found, scores_of(tmp_path / "alone", methods))


def test_a_cluster_gets_photographs_that_it_cannot_read_itself(tmp_path, cluster, photographs):
    """The workers see the folder as well here; so it is moved away once all is planned."""
    from inpaintbench.benchmarks.blocks import cut_blocks, describe_block
    from inpaintbench.benchmarks.cluster import as_finished
    from inpaintbench.benchmarks.run import _Photographs
    from inpaintbench.datasets.images import Skipped

    suite = small(8, images=str(photographs))
    blocks = cut_blocks(suite.plan(Skipped()), 2)
    with open_workers(1, cluster.scheduler_address) as workers:
        sent = _Photographs(suite, workers)
        made = [(suite, block, sent.of(block)) for block in blocks]
        tasks = [(m[1].first, (describe_block, partial(tuple, m))) for m in made]
        photographs.rename(tmp_path / "elsewhere")
        rows = dict(as_finished(workers, tasks))
    assert sorted(rows) == [0, 2, 4, 6]
    assert all(len(finished.table) == 2 for finished in rows.values())


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("tcp://127.0.0.1:1", "does not answer"),
        ("nonsense://here", "does not answer"),
        ("tls://127.0.0.1:1", "does not answer"),
        ("local:none", "write local:4"),
        ("local:²", "write local:4"),
    ],
)
def test_a_cluster_that_is_not_there_is_an_input_error(tmp_path, address, words, monkeypatch):
    monkeypatch.setattr("inpaintbench.benchmarks.cluster.PATIENCE", "1s")
    carried_out(tmp_path / "run", [parse_method("mean")], suite=small(10))
    with pytest.raises(InputError, match=words):
        carried_out(tmp_path / "run", [parse_method("mean")], suite=small(10), cluster=address)
    assert len(load_run(tmp_path / "run").mse) == 10  # what was finished is finished still
    assert list((tmp_path / "run" / "pictures").glob("truth/*.png"))


def test_a_worker_with_another_version_is_refused(tmp_path):
    copy = tmp_path / "copy" / "inpaintbench"
    ours = Path(inpaintbench.benchmarks.__path__[0]).parent
    for room in ("benchmarks", "datasets", "methods", "reports"):
        shutil.copytree(ours / room, copy / room, ignore=shutil.ignore_patterns("trained"))
    (copy / "methods" / "mean.py").open("a").write("# another version\n")
    with LocalCluster(n_workers=0, threads_per_worker=1, dashboard_address=None) as empty:
        with (
            pytest.raises(InputError, match="no workers"),
            open_workers(1, empty.scheduler_address),
        ):
            pass
        command = [sys.executable, "-m", "distributed.cli.dask_worker", empty.scheduler_address]
        worker = subprocess.Popen(
            [*command, "--nthreads", "1", "--no-dashboard"],
            env=os.environ | {"PYTHONPATH": str(copy.parent)},
            cwd=tmp_path,
            stderr=subprocess.DEVNULL,
        )
        try:
            with Client(empty) as client:
                client.wait_for_workers(1, timeout=60)
            with (
                pytest.raises(InputError, match="has inpaintbench") as caught,
                open_workers(1, empty.scheduler_address),
            ):
                pass
        finally:
            worker.terminate()
            worker.wait()
    assert own_version() in str(caught.value)


def leave_files(then):
    """Run by a worker: make its folder in memory, and end without clearing it away."""
    (memory_folder() / "left").write_text("")
    if then == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return str(memory_folder())


def leave_files_and_die():
    """Run by a process that is a user's command, to all appearance."""
    with open_workers(2) as workers:
        print(workers.submit(leave_files, "return").result(), flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


def test_nothing_stays_in_memory_of_workers_that_were_killed():
    with open_workers(1) as workers:
        folder = Path(workers.submit(leave_files, "return").result())
        assert (folder / "left").exists()
        with pytest.raises(ProcessExpired):
            workers.submit(leave_files, "die").result()
    assert not folder.exists()
    assert not folder.parent.exists()


def test_nothing_stays_in_memory_of_a_command_that_was_killed():
    script = "import test_cluster; test_cluster.leave_files_and_die()"
    command = [sys.executable, "-c", script]
    killed = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    folder = Path(killed.stdout.strip()).parent
    end = time.monotonic() + 60
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not folder.exists()


HEARS_CTRL_C = """
import signal  # which shells have ignored by what runs in the background
signal.signal(signal.SIGINT, signal.default_int_handler)
from inpaintbench.benchmarks.app import main
main()
"""


def has_forkserver(process):
    with suppress(psutil.Error):  # one that has just ended
        children = psutil.Process(process).children()
        return any("forkserver" in " ".join(child.cmdline()) for child in children)
    return False


def test_ctrl_c_while_workers_start_prints_no_traceback(tmp_path):
    options = ["run", "--methods=mean", "--cases=8", "--jobs=2", f"--out={tmp_path / 'run'}"]
    run = subprocess.Popen(
        [sys.executable, "-c", HEARS_CTRL_C, *options],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not has_forkserver(run.pid):
        assert run.poll() is None
        time.sleep(0.01)
    time.sleep(0.5)  # it imports for longer
    os.killpg(run.pid, signal.SIGINT)  # as a terminal does
    _, told = run.communicate(timeout=120)
    assert run.returncode == 130
    assert told == f"interrupted; the same command goes on with {tmp_path / 'run'}\n"
