"""A method may do what it likes: it costs its own cases, and no one else's."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import plugins
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from test_run import carried_out, small

from inpaintbench.benchmarks.answers import (
    hidden_parts,
    modified,
    pack,
    picture_of,
    taken,
    unpack,
)
from inpaintbench.benchmarks.isolation import Isolation, Limits, MethodFailed, end_isolated
from inpaintbench.benchmarks.restoring import lend, restore_cases
from inpaintbench.benchmarks.workers import BATCH, answer, same
from inpaintbench.datasets import Observation
from inpaintbench.methods import Method, parse_method

WAYS = {
    "raise": ("error", "RuntimeError: on purpose"),
    "exit": ("crash", "exit code 3"),
    "segfault": ("crash", "SIGSEGV"),
    "abort": ("crash", "SIGABRT"),
    "kill": ("crash", "SIGKILL"),
    "loop": ("timeout", "--timeout"),
    "print": ("timeout", "--timeout"),
    "children": ("timeout", "--timeout"),
    "memory": ("oom", "on purpose"),
    "allocate": ("oom", "allocate"),
    "nan": ("invalid", "not finite"),
    "shape": ("invalid", "shape (3, 3)"),
    "complex": ("invalid", "complex128"),
    "lambda": ("invalid", "function"),
    "modify": ("invalid", "modified"),
    "modify mask": ("invalid", "modified"),
    "vandal": ("ok", ""),
}
GOOD = ("mean", "telea", "ring-median")


def children_left():
    return [p for p in psutil.process_iter(["cmdline"]) if plugins.CHILD in str(p.info["cmdline"])]


@pytest.fixture(scope="module")
def all_together(tmp_path_factory):
    """A run of every misbehaving method with good ones in between, and of the good ones alone."""
    folder = tmp_path_factory.mktemp("isolation")
    good = [parse_method(name) for name in GOOD]
    bad = [plugins.Misbehaves(way=way) for way in WAYS]
    mixed = [*bad[:6], good[0], *bad[6:12], good[1], *bad[12:], good[2]]
    suite = small(4)
    together, _ = carried_out(folder / "together", mixed, 2, suite, 0.7, gibibytes=1.0)
    alone, _ = carried_out(folder / "alone", good, 1, suite)
    return folder / "together", together, alone


def test_the_good_ones_score_what_they_score_alone(all_together):
    _, together, alone = all_together
    for name in GOOD:
        pair = [s[s["method"] == name].drop(columns="seconds") for s in (together, alone)]
        pd.testing.assert_frame_equal(*(p.reset_index(drop=True) for p in pair))
        assert (pair[0]["status"] == "ok").all()


@pytest.mark.parametrize("way", WAYS)
def test_every_misbehaviour_costs_the_guilty_cases_alone(all_together, way):
    folder, together, _ = all_together
    status, words = WAYS[way]
    cases = pd.read_parquet(folder / "cases.parquet").set_index("case_id")
    rows = together[together["label"] == f"misbehaves:way={way}"].set_index("case_id")
    guilty = cases.index[cases["height"] % 2 == 1]
    assert 0 < len(guilty) < len(cases)
    assert (rows.loc[guilty, "status"] == status).all(), rows.loc[guilty, ["status", "message"]]
    told = rows.loc[guilty, "message"]
    assert told[~told.str.startswith("not tried")].str.contains(words, regex=False).all(), told
    others = cases.index.difference(guilty)
    assert (rows.loc[others, "status"] == "ok").all(), rows.loc[others, ["status", "message"]]
    assert not children_left()


@pytest.mark.parametrize(("way", "words"), [("raise", "on purpose"), ("segfault", "misbehave")])
def test_the_traceback_is_kept_and_named_in_the_row(all_together, way, words):
    folder, together, _ = all_together
    rows = together[(together["label"] == f"misbehaves:way={way}") & (together["status"] != "ok")]
    for name in rows["traceback"]:
        text = (folder / "failures" / name).read_text()
        assert words in text
        assert "plugins.py" in text


def test_another_answer_when_asked_again_is_invalid(tmp_path):
    scores, _ = carried_out(tmp_path / "run", [Always(way="random")], suite=small(8))
    assert (scores["status"] == "invalid").all()
    assert scores["message"].str.contains("another answer").all()


@pytest.fixture
def no_process_stays():
    yield
    end_isolated()


def test_a_case_that_is_restored_twice_has_twice_the_time(observation, no_process_stays):
    limits = Limits(seconds=2.0)
    (outcome,) = restore_cases(plugins.Slow(seconds=1.2), [observation], [], limits)
    assert outcome.is_ok, outcome.message


def test_the_seconds_of_a_blocks_cases_add_up_to_those_of_the_block(no_process_stays):
    mask = np.eye(9, k=1, dtype=bool)
    observations = [Observation(np.full((9, 9), number, np.uint8), mask) for number in range(20)]
    begin = time.monotonic()
    outcomes = restore_cases(plugins.Slow(seconds=0.01), observations, [], Limits())
    whole = time.monotonic() - begin
    assert 20 * 0.01 <= sum(outcome.seconds for outcome in outcomes) < whole


def test_a_hang_in_the_middle_of_a_block_does_not_cost_the_time_of_the_block(no_process_stays):
    count, guilty, mask = 100, 60, np.eye(9, k=1, dtype=bool)
    observations = [Observation(np.full((9, 9), number, np.uint8), mask) for number in range(count)]
    begin = time.monotonic()
    method = plugins.HangsAt(level=guilty)
    outcomes = restore_cases(method, observations, [], Limits(seconds=1.0))
    assert time.monotonic() - begin < count / 2
    statuses = ["timeout" if number == guilty else "ok" for number in range(count)]
    assert [outcome.status for outcome in outcomes] == statuses


def test_after_three_cases_in_a_row_that_took_too_long_the_rest_is_not_tried(no_process_stays):
    """In a row: one that ends well in between starts the count anew."""
    mask = np.eye(9, k=1, dtype=bool)
    levels = [7, 5, 7, 7, 7, 5]
    observations = [Observation(np.full((9, 9), level, np.uint8), mask) for level in levels]
    outcomes = restore_cases(plugins.HangsAt(level=7), observations, [], Limits(seconds=0.8))
    assert [outcome.status for outcome in outcomes] == ["timeout", "ok", *4 * ["timeout"]]
    tried = ["not tried: 3 before" not in outcome.message for outcome in outcomes]
    assert tried == 5 * [True] + [False]


def test_what_a_method_prints_is_not_heard(tmp_path):
    script = "import test_isolation; test_isolation.print_for_a_while()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["timeout"]
    assert "noise" not in done.stderr


def print_for_a_while():
    from skimage import data

    picture = data.camera()[:41, :50]
    observation = Observation(picture.copy(), picture < 0)
    process = Isolation(4.0)
    try:
        nothing = pack([])
        method = plugins.Misbehaves(way="print")
        process.call(answer, method, pack([observation]), nothing, seconds=1.0)
    except MethodFailed as error:
        print(error.status)
    process.close()


def test_a_process_that_died_is_followed_by_another(observation):
    process = Isolation(4.0)
    packed = pack([observation]), pack([])
    try:
        for _ in range(2):
            with pytest.raises(MethodFailed, match="SIGKILL"):
                process.call(answer, Always(), *packed, seconds=10.0)
        answers = process.call(answer, parse_method("mean"), *packed, seconds=10.0)
        assert not answers.problems
    finally:
        process.close()


LEAVE_A_CHILD = f"""
import subprocess, sys
code = "import time; time.sleep(1000)  # {plugins.CHILD}"
subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.DEVNULL)
"""


def test_what_the_dead_left_is_killed_and_the_next_process_is_not(observation):
    """A process that died may be followed by another before its children are looked for."""
    process = Isolation(4.0)
    packed = pack([observation]), pack([])
    try:
        process.call(answer, parse_method("mean"), *packed, seconds=10.0)
        living = psutil.Process(int(next(process.folder.glob("*.leader")).stem))
        with subprocess.Popen(
            [sys.executable, "-c", LEAVE_A_CHILD], start_new_session=True
        ) as dead:
            dead.wait()
        (process.folder / f"{dead.pid}.leader").touch()
        assert len(children_left()) == 1
        process._kill_families()
        psutil.wait_procs(children_left(), timeout=10)
        assert not children_left()
        assert living.is_running()
    finally:
        process.close()
    assert not living.is_running()


class Always(plugins.Misbehaves):
    """Misbehaves on every picture."""

    name = "always"
    way: str = "kill"

    def restore(self, observation):
        return self.misbehave(observation)


class Corner(Method):
    """Fills with the first pixel; some cases are answered wrongly, or written to."""

    name = "corner"
    family = "test"
    wrong: int = -1  # which first pixel gets NaN
    touched: int = -1  # which picture is written to

    def one(self, observation):
        corner = int(observation.image[0, 0])
        if corner == self.touched:
            observation.image[0, 1] += 1
        count = np.count_nonzero(observation.mask)
        return np.full(count, np.nan if corner == self.wrong else corner + 0.4)

    def restore(self, observation):
        hidden = self.one(observation)
        return picture_of(hidden, Observation(observation.image * 1.0, observation.mask))


class CornerOfBatches(Corner):
    name = "corner-of-batches"

    def predict_batch(self, observations):
        assert len(observations) <= BATCH
        return [self.one(observation) for observation in observations]


@pytest.mark.parametrize("method", [Corner, CornerOfBatches])
def test_a_block_of_several_batches_is_answered_case_by_case(method):
    count = 2 * BATCH + 7
    mask = np.zeros((4, 5), bool)
    mask[1:3, 1:3] = True
    observations = [Observation(np.full((4, 5), n, np.uint16), mask) for n in range(count)]
    lending = lend(observations)
    answers = answer(method(wrong=BATCH + 3, touched=BATCH - 1), lending.packed, pack([]))
    problems = {BATCH - 1: "modified", BATCH + 3: "not finite"}
    assert set(answers.problems) == set(problems)
    assert all(word in answers.problems[number] for number, word in problems.items())
    parts = hidden_parts(answers, lending.packed)
    expected = [None if n in problems else [n] * 4 for n in range(count)]
    assert [part if part is None else part.tolist() for part in parts] == expected
    assert len(answers.altered) == len(answers.expected) == count


class Sideways(CornerOfBatches):
    """Answers with a row per channel where it should be a row per pixel."""

    def one(self, observation):
        return np.full((3, np.count_nonzero(observation.mask)), 9.0)


def test_predictions_of_another_shape_are_invalid_though_their_number_is_right():
    mask = np.zeros((4, 5), bool)
    mask[1:3, 1:3] = True
    observations = [Observation(np.full((4, 5, 3), n, np.uint8), mask) for n in range(3)]
    lending = lend(observations)
    answers = answer(Sideways(), lending.packed, pack([]))
    assert set(answers.problems) == {0, 1, 2}
    assert set(answers.problems.values()) == {"returned shape (3, 4), not (4, 3)"}


@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 1), (np.uint16, 7)])
def test_two_answers_to_one_case_agree_but_for_rounding(dtype, most):
    """By a step that rounding may make, and by 1e-4 of the range, as the contract allows."""
    one = np.full((2, 3), 100, dtype)
    for far in (-most - 1, -most, 0, most, most + 1):
        other = one.copy()
        other[1, 2] = 100 + far
        assert same(one, other) == same(other, one) == (abs(far) <= most)
    assert not same(one, one[:, :2])


@given(st.data())
def test_packing_gives_the_same_observations_back(drawn):
    several = []
    for _ in range(drawn.draw(st.integers(0, 3))):
        dtype = drawn.draw(st.sampled_from([np.uint8, np.uint16]))
        shape = tuple(drawn.draw(st.integers(1, 9)) for _ in range(2))
        colours = drawn.draw(st.sampled_from([(), (3,)]))
        image = drawn.draw(arrays.arrays(dtype, shape + colours))
        several.append(Observation(image, drawn.draw(arrays.arrays(np.bool_, shape))))
    lent = lend(several)  # in a file, as long as this lives
    packed = drawn.draw(st.sampled_from([lent.packed, pack(several)]))
    memory = taken(packed)
    found = unpack(packed, memory)
    assert modified(packed, memory) == []
    for number, (before, after) in enumerate(zip(several, found, strict=True)):
        assert after.image.dtype == before.image.dtype
        assert np.array_equal(before.image, after.image)
        assert np.array_equal(before.mask, after.mask)
        assert after.image.flags.aligned
        after.image.flat[-1] ^= 1  # it may be written to, and is nobody else's
        assert before.image.flat[-1] != after.image.flat[-1]
        assert modified(packed, memory) == [number]
        after.image.flat[-1] ^= 1
