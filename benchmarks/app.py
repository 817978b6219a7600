"""The command line; every command is a few lines that call the room which does the work."""

import math
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from inpaintbench.datasets.errors import InputError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    from inpaintbench.benchmarks.trying import Trial
    from inpaintbench.methods import Method
    from inpaintbench.reports import Run

    Advance = Callable[..., None]  # method label, how many more, and of how many if that changed

RUNS = Path("runs")
TRIED = Path("tried")
TEXTS = {  # columns whose cells stand to the left
    "method",
    "ceiling",
    "family",
    "status",
    "message",
    "why",
    "what it is",
    "parameters",
    "task",
    "suite",
    "images",
    "methods",
    "dataset",
    "photograph",
    "terms",
    "what",
    "verdict",
}
SPARE = ("family", "in batches", "median", "PSNR dB", "won", "group")  # on a narrow terminal
WIDEST = 30  # characters of a cell that are not wrapped

app = typer.Typer(
    help="Which inpainting method should I submit? Compare them on identical crops.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

Jobs = Annotated[int, typer.Option(min=1, help="Worker processes; changes no score.")]
Timeout = Annotated[
    float,
    typer.Option(
        min=0.001,
        help="Seconds that a method may take for a case. Cases restored together may take as long "
        "on average; where they take longer, each is restored by itself.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print only the verdict and the page.")]
Json = Annotated[
    bool, typer.Option("--json", help="Print JSON: leaderboard, verdict, submission, page.")
]
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def main(command: Callable[[], None] = app) -> None:
    """Run a command line; a user's mistake is one line on stderr and exit code 2."""
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"  # no line of code
    try:
        command()
    except InputError as error:
        message = _plain(" ".join(str(error).split()))  # one line, whatever a file at fault says
        print(f"inpaintbench: {message}", file=sys.stderr)
        sys.exit(2)


@app.command()
def run(
    suite: Annotated[str, typer.Argument(help="A suite's name, or a TOML file.")] = "crop",
    methods: Annotated[
        str | None,
        typer.Option(
            help="Names, with parameters if wanted: telea:radius=5,cnn; default: the suite's."
        ),
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(
            help="A folder, a zip archive, a .pkl or .npz file of windows, skimage, cifar10 or "
            "cifar10-train; default: the suite's.",
            metavar="DIR|ZIP|NAME",
        ),
    ] = None,
    cases: Annotated[
        int | None, typer.Option(min=1, help="Number of cases; default: the suite's.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the cases; default: the suite's.")
    ] = None,
    jobs: Jobs = CORES,
    timeout: Timeout = 60.0,
    memory: Annotated[
        float, typer.Option(min=0.1, help="GiB that a method's process may take.")
    ] = 8.0,
    cluster: Annotated[
        str,
        typer.Option(help="A dask scheduler; local:4 starts one here.", metavar="ADDRESS"),
    ] = "",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of the run; default: the unfinished one in runs/, or a new one."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Only say what would be done again, and why.")
    ] = False,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Run methods on a suite's cases, print the leaderboard and write the report.

    A run that was stopped goes on where it was when the same command is given again. Results in
    --out that still hold are reused.
    """
    from inpaintbench.benchmarks.plan import explain as explain_run
    from inpaintbench.benchmarks.plan import unfinished_run
    from inpaintbench.benchmarks.run import run_suite
    from inpaintbench.benchmarks.suite import read_suite
    from inpaintbench.methods.method import cannot_do
    from inpaintbench.reports import load_run
    from inpaintbench.reports.page import write_report

    given = {"images": images, "cases": cases, "seed": seed, "methods": _names(methods)}
    changes = {key: value for key, value in given.items() if value is not None}
    chosen = read_suite(suite).model_copy(update=changes)
    made = _made_methods(chosen.methods)
    if not any(chosen.task in method.tasks for method in made):
        others = ", nor can any other that was named" if len(made) > 1 else ""
        raise InputError(f"{made[0].name} {cannot_do(made[0], chosen.task)}{others}")
    begun = None if out else unfinished_run(RUNS, chosen, [method.label for method in made])
    folder = out or begun or RUNS / f"{chosen.name}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    console = _console()
    if explain:
        _print_table(console, explain_run(chosen, made, folder))
        return
    if begun:
        notice = f"going on with {begun}, which was not finished"
        print(notice, file=sys.stderr if json else sys.stdout)
    told: dict[str, int | None] = {method.label: chosen.cases for method in made}
    try:
        with _progress(console, {} if quiet or json else told) as advance:
            run_suite(chosen, made, folder, jobs, timeout, advance, _warn, memory, cluster)
    except KeyboardInterrupt:
        print(f"interrupted; the same command goes on with {folder}", file=sys.stderr)
        raise typer.Exit(130) from None
    finished = load_run(folder)
    _print_run(console, finished, write_report(finished), quiet, json)
    if not finished.scores["status"].eq("ok").any():
        raise typer.Exit(1)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run: its folder, or a zip of a finished one.")],
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    history: Annotated[
        Path | None,
        typer.Option(help="A history to draw; default: what the run's folder keeps of one."),
    ] = None,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """Write a run's report again from its files, and print its leaderboard.

    The report of RUN.zip is written into the folder RUN-report beside it. That of a run which is
    not finished shows how far it is.
    """
    from inpaintbench.reports import load_run
    from inpaintbench.reports.page import write_report

    loaded = load_run(run, unfinished=True)
    page = write_report(loaded, history)
    _print_run(_console(), loaded, page, quiet, json)
    if open_:
        typer.launch(page.resolve().as_uri())


@app.command()
def compare(
    old: Annotated[Path, typer.Argument(help="The earlier run: its folder, or a zip of it.")],
    new: Annotated[Path, typer.Argument(help="The later run, likewise.")],
    append: Annotated[
        Path | None,
        typer.Option(help="A parquet file, made if need be, to keep both runs' scores in."),
    ] = None,
) -> None:
    """Compare two runs on the cases they share; exit 1 where a method got worse beyond chance.

    A method that fails where it did not, or is missing from the later run, got worse too. With
    --append a long history grows, which `inpaintbench report NEW` then draws.
    """
    from inpaintbench.reports import load_run
    from inpaintbench.reports.comparison import compare as compare_runs
    from inpaintbench.reports.comparison import environment_changes

    runs = load_run(old), load_run(new)
    table = compare_runs(*runs)
    console = _console()
    forms = dict.fromkeys(["old", "new", "difference", "low", "high"], "{:.2f}")
    texts = {n: table[n].map(form.format) for n, form in (forms | {"p_holm": "{:.4f}"}).items()}
    _print_table(console, table.assign(**texts).replace("nan", "-"))
    changes = environment_changes(*(run.environment for run in runs))
    if len(changes):
        _print_table(console, changes)
    else:
        print("Nothing recorded of their environments differs.")
    if runs[1].environment.get("dirty"):
        print("The later run had uncommitted changes, which its commit does not tell.")
    if append:
        _append(append, *runs)
    if table["verdict"].isin(["worse", "missing"]).any():
        raise typer.Exit(1)


def _append(path: Path, old: "Run", new: "Run") -> None:
    """Add both runs to a history, and keep the later one's part of it in its folder."""
    from inpaintbench.reports.history import append_history, keep_history

    history = append_history(path, old, new)
    print(f"{path}: {history['finished'].nunique()} runs")
    if new.unpacked:
        print(f"To draw it: inpaintbench report {new.path} --history {path}")
    else:
        keep_history(history, new)
        print(f"To draw it: inpaintbench report {new.path}")


@app.command()
def submit(
    testset: Annotated[Path, typer.Argument(help="A test set of crop, border or grid, a pickle.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The predictions to write.")],
    method: Annotated[
        str,
        typer.Option(
            help="A method, or best: the run's winner; but the recommended method where the run "
            "cannot tell it from the winner, or there is no run."
        ),
    ] = "best",
    run: Annotated[
        Path | None, typer.Option(help="The run to choose from; default: the last in runs/.")
    ] = None,
    jobs: Jobs = CORES,
    timeout: Timeout = 60.0,
) -> None:
    """Restore a test set and write the submission file."""
    from inpaintbench.benchmarks.submit import expectation, write_submission
    from inpaintbench.datasets.sister_challenges import task_of
    from inpaintbench.methods import parse_method
    from inpaintbench.reports import load_run
    from inpaintbench.reports.choice import RECOMMENDED, best_method
    from inpaintbench.reports.tables import last_run

    if method != "best":
        parse_method(method)  # a wrong name is told before a wrong file
    chosen_from = load_run(run) if run else None
    task = task_of(testset)
    if not run and (last := last_run(RUNS, task)):
        # A damaged run need not keep anyone from submitting by a method of their own choice.
        with suppress(InputError) if method != "best" else nullcontext():
            chosen_from = load_run(last)
    if chosen_from and chosen_from.task != task:
        raise InputError(f"{run} is no run of the task {task}, which {testset} is of")
    if method == "best" and chosen_from:
        method, why = best_method(chosen_from)
        print(f"method: {method}, {why} of {chosen_from.path}")
        usual = RECOMMENDED[task]
        if usual not in chosen_from.mse:
            print(f"{usual}, which is recommended, was not in that run: --method {usual} takes it")
    elif method == "best":
        method = RECOMMENDED[task]
        print(f"method: {method}, which is recommended: no run in {RUNS} says better")
    made = parse_method(method)
    if chosen_from:
        print(expectation(chosen_from, made.label))
    with _progress(_console(), {made.label: None}) as advance:
        count, expected_mse = write_submission(
            testset, task, output, made, jobs, timeout, lambda n: advance(made.label, n)
        )
    if not math.isnan(expected_mse):
        print(
            f"{made.label} itself expects a challenge MSE of {expected_mse:.1f} on these pictures"
        )
    print(f"wrote {output}: {count} predictions; read back, and scored against itself: 0.0")


@app.command(name="try")
def try_(
    image: Annotated[Path, typer.Argument(help="A picture: JPEG, PNG, TIFF or WebP.")],
    box: Annotated[
        list[str] | None,
        typer.Option(
            metavar="X,Y,H,W",
            help="Hide H rows by W columns from row X (down from 0), column Y (to the right from "
            "0): X is axis 0, Y axis 1. May be repeated.",
        ),
    ] = None,
    mask: Annotated[
        Path | None,
        typer.Option(
            help="A picture of the same size: what is not 0 in it is hidden; if it is partly "
            "transparent, what is not transparent."
        ),
    ] = None,
    methods: Annotated[
        str | None, typer.Option(help="Names, as for run; default: a few of different cost.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Folder of the restored pictures, or a .png or .tif file for one method; "
            "default: a new folder in tried/.",
        ),
    ] = None,
    truth: Annotated[
        bool,
        typer.Option(
            "--truth/--no-truth",
            help="Whether the hidden part shows the truth, or is damaged: then nothing is scored.",
        ),
    ] = True,
    timeout: Timeout = 60.0,
) -> None:
    """Hide a part of a picture of your own, and see what methods make of it."""
    from rich.text import Text

    from inpaintbench.benchmarks import trying
    from inpaintbench.datasets.files import safe_name

    made = _made_methods(_names(methods) or list(trying.USUAL))
    picture = trying.read_picture(image)
    hidden = trying.hole_mask(picture, box or [], mask)
    stem = safe_name(image.stem.replace(".", "-"))  # a name with a dot would be a file's
    folder = TRIED / f"{stem}-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    trying.check_output(output or folder, image, made)
    console = _console()
    trials: list[trying.Trial] = []
    with trying.restorer(timeout) as restore:
        for method in made:
            with console.status(Text(_plain(method.label))):
                trials.append(trying.try_method(restore, method, picture, hidden, truth))
    _print_table(console, _trial_table(trials))
    kind = "colour" if picture.ndim == 3 else "grey"
    size = f"{picture.shape[0]} rows by {picture.shape[1]} columns, {kind}, {picture.dtype}"
    print(f"{hidden.sum()} pixels hidden of a picture of {size}; seconds are those of restoring")
    written = trying.write_trials(output or folder, picture, hidden, trials, truth)
    for path in written:
        print(f"wrote {_plain(str(path))}")
    if not written:
        raise typer.Exit(1)


@app.command()
def restore(
    source: Annotated[
        Path,
        typer.Argument(metavar="INPUT", help="A picture, or for upscale and low light a video."),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="A .png or .tif file; for a video .mp4, .mov, .avi, or .mkv, which is lossless.",
        ),
    ],
    task: Annotated[str, typer.Option(help="upscale, scratches, ...: see list tasks.")],
    method: Annotated[str, typer.Option(help="A method, or best: the one recommended.")] = "best",
    mask: Annotated[
        Path | None,
        typer.Option(
            help="For tasks that hide pixels, a picture of the same size: what is not 0 in it is "
            "restored; if it is partly transparent, what is not transparent."
        ),
    ] = None,
    beside: Annotated[
        bool,
        typer.Option(
            "--beside", help="Write the input, plainly enlarged if need be, beside the result."
        ),
    ] = False,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.001,
            help="Seconds that a method may take for a picture or a frame; for a large one, for "
            "each million pixels of the restored one.",
        ),
    ] = 60.0,
) -> None:
    """Restore a picture or a video of your own: enlarge it, brighten it, fill what is masked.

    Pictures stay grey or in colour, of 8 or 16 bits. A video is restored frame by frame, without
    its sound; of one that is broken, the frames that can be read.
    """
    from inpaintbench.benchmarks import restoring_files as files
    from inpaintbench.datasets.video import is_video, video_facts

    made = files.chosen_method(task, method)
    files.check_files(source, output, task, mask)
    if method == "best":
        print(f"method: {made.label}, which is recommended for {task}")
    if is_video(source):
        facts = video_facts(source)
        with _progress(_console(), {made.label: facts.frames or None}, "frames") as advance:
            count = files.restore_video(
                source,
                output,
                made,
                task,
                facts.rate,
                timeout,
                beside,
                lambda n: advance(made.label, n),
                _warn,
            )
        print(f"wrote {_plain(str(output))}: {count} frames")
        return
    shape = files.restore_picture(source, output, made, task, mask, timeout, beside, _warn)
    print(f"wrote {_plain(str(output))}: {shape[0]} rows by {shape[1]} columns")


@app.command()
def demo(
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0: for all machines.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8790,
    timeout: Timeout = 60.0,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
) -> None:
    """Serve a page on which you draw holes into a picture and see them restored."""
    try:
        from inpaintbench.benchmarks.demo import serve
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("inpaintbench"):
            raise
        raise InputError(f"demo needs {error.name}: pip install 'inpaintbench[demo]'") from error

    def ready(address: str) -> None:
        print(f"{address} (Ctrl+C ends it)", flush=True)
        if open_:
            typer.launch(address)

    serve(host, port, timeout, ready, _warn)


@app.command()
def score(
    predictions: Annotated[Path, typer.Argument(help="A submission, a pickle.")],
    targets: Annotated[Path, typer.Argument(help="The true values, in the same form.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the challenge MSE of a submission, by the server's rules.

    Of flat arrays both scores are printed: MSE, as border ranks, and RMSE, as grid does.
    """
    from inpaintbench.datasets.challenge import read_predictions
    from inpaintbench.datasets.sister_challenges import flat_scores

    predicted, true = read_predictions(predictions), read_predictions(targets)
    try:
        mse, rmse = flat_scores(predicted, true)
    except InputError as error:
        raise InputError(f"{predictions} against {targets}: {error}") from None
    if true[0].ndim == 1:
        text = f'{{"challenge_mse": {mse!r}, "challenge_rmse": {rmse!r}}}'
        print(text if json else f"border: MSE {mse:.4f}; grid: RMSE {rmse:.4f}")
        return
    print(f'{{"challenge_mse": {mse!r}, "samples": {len(true)}}}' if json else f"{mse:.4f}")


@app.command()
def train(
    network: Annotated[
        str, typer.Argument(help="cnn, cnn:size=small, grid-cnn, gaussian, ensemble, ...")
    ],
    images: Annotated[
        list[str],
        typer.Option(
            help="Folder, zip, skimage or cifar10-train; may be repeated.", metavar="DIR|ZIP|NAME"
        ),
    ],
    device: Annotated[
        str, typer.Option(help="auto, cpu or cuda; default: auto, a GPU if there is one.")
    ] = "",
    devices: Annotated[int, typer.Option(min=1, help="Number of GPUs, or of processes.")] = 1,
    minutes: Annotated[
        float, typer.Option(min=0.01, help="Minutes of training, over all resumptions.")
    ] = 60.0,
    crops: Annotated[
        int, typer.Option(min=0, help="Crops to train on, instead of minutes: repeatable.")
    ] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint.")
    ] = False,
    start: Annotated[Path | None, typer.Option(help="Weights to start from.")] = None,
    optimizer: Annotated[
        Literal["adamw", "adam", "sgd", "adagrad"], typer.Option(help="What updates the weights.")
    ] = "adamw",
    learning_rate: Annotated[float, typer.Option(min=1e-7, help="Its peak.")] = 1e-3,
    batch: Annotated[int, typer.Option(min=1, help="Crops per update.")] = 64,
    patience: Annotated[
        int, typer.Option(min=0, help="Validations without gain before an early stop; 0: never.")
    ] = 0,
    teacher: Annotated[
        str, typer.Option(help="A network to learn from, besides the photographs: cnn.")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first weights and the crops.")] = 0,
    epoch: Annotated[int, typer.Option(min=64, help="Crops between validations.")] = 12_800,
    workers: Annotated[int, typer.Option(min=0, help="Processes that draw crops.")] = 1,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of weights and checkpoints; default: training/NETWORK."),
    ] = None,
) -> None:
    """Train a network, or fit a statistical method, on photographs: weights and a model card.

    A network also leaves its settings, loss curve, sample restorations, TensorBoard log and
    checkpoints. A fitted method uses only --images, --seed and --out, and has no time limit; so
    does the ensemble, which is fitted after its members, on the photographs that they did not see.
    Where options say crops, cases of the network's own task are meant.
    """
    from inpaintbench.methods import parse_method
    from inpaintbench.methods.ensemble import Ensemble
    from inpaintbench.methods.fitted import FittedMethod, fit_method
    from inpaintbench.methods.networks.network_method import NetworkMethod

    method = parse_method(network)
    if not isinstance(method, FittedMethod | Ensemble | NetworkMethod):
        raise InputError(f"{network} has nothing to train: it is neither a network nor fitted")
    name = method.weights_name
    folder = out or Path("training") / name
    if isinstance(method, FittedMethod):
        card = fit_method(type(method), images, folder, seed)
    elif isinstance(method, Ensemble):
        from inpaintbench.methods.stacking import fit_ensemble

        card = fit_ensemble(images, folder, seed)
    else:
        from inpaintbench.methods.networks.training import Settings
        from inpaintbench.methods.networks.training import train as train_network

        method.device = device or method.device
        settings = Settings(
            minutes=minutes,
            crops=crops,
            batch=batch,
            epoch_crops=epoch,
            optimizer=optimizer,
            learning_rate=learning_rate,
            patience=patience,
            teacher=teacher,
            seed=seed,
            workers=workers,
            devices=devices,
        )
        card = train_network(method, images, folder, settings, resume, start)
    path = folder / f"{name}.safetensors"
    print(f"wrote {path}: validation MSE {card['validation_mse']}")
    suite = "" if card.get("task", "crop") == "crop" else f"{card['task']} "
    shipped = f"{network}," if method.shipped_path.exists() else ""
    print(f"try it: inpaintbench run {suite}--methods {shipped}{network}:weights={path}")


@app.command()
def export(
    network: Annotated[str, typer.Argument(help="A network method: cnn, cnn:size=small, ...")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The ONNX file to write.")],
) -> None:
    """Write a network as an ONNX file, and check that onnxruntime gives the same pictures.

    It takes 64x64 windows, float32 in 0..1: `filled`, hidden pixels filled harmonically, and
    `mask`, 1 where a pixel is hidden.
    """
    from inpaintbench.datasets.files import check_writable
    from inpaintbench.methods import parse_method
    from inpaintbench.methods.networks.window_method import WindowMethod

    check_writable(output)
    method = parse_method(network)
    if not isinstance(method, WindowMethod):
        raise InputError(
            f"{network} does not work on windows of 64x64: only networks for crop can be exported"
        )
    from inpaintbench.methods.networks.export import export as export_network

    difference = export_network(method, output)
    print(f"wrote {output}: onnxruntime's pictures are torch's to within {difference:.1g} of 0..1")


@app.command(name="list")
def list_(
    what: Annotated[str, typer.Argument(help="methods, tasks, datasets or suites.")],
) -> None:
    """List what there is."""
    import pandas as pd

    from inpaintbench.benchmarks.suite import TASKS, read_suite, suite_names
    from inpaintbench.datasets import cifar
    from inpaintbench.datasets.images import BUNDLED, BUNDLED_NAME
    from inpaintbench.methods import method_classes

    rows: list[tuple[str, ...]]
    if what == "methods":
        headings = ["method", "family", "parameters", "what it is"]
        rows = [
            (name, c.family, ", ".join(f"{k}={v}" for k, v in c().parameters.items()), _summary(c))
            for name, c in method_classes().items()
        ]
    elif what == "tasks":
        headings = ["task", "what it is"]
        rows = [(name, _summary(module)) for name, module in TASKS.items()]
    elif what == "datasets":
        headings = ["dataset", "photograph", "terms"]
        rows = [(BUNDLED_NAME, name, terms) for name, terms in BUNDLED.items()]
        rows.append((cifar.NAME, "10,000 of 32x32 pixels, for testing", cifar.TERMS))
        rows.append((cifar.TRAIN_NAME, "50,000 of 32x32 pixels, for training", cifar.TERMS))
    elif what == "suites":
        headings = ["suite", "task", "images", "cases", "methods"]
        suites = [read_suite(name) for name in suite_names()]
        rows = [(s.name, s.task, s.images, str(s.cases), ", ".join(s.methods)) for s in suites]
    else:
        raise InputError(f"cannot list {what!r}; there are methods, tasks, datasets and suites")
    _print_table(_console(), pd.DataFrame(rows, columns=headings))


@app.command()
def check(
    method: Annotated[
        str, typer.Argument(metavar="MODULE:CLASS", help="A Method class, or a name.")
    ],
) -> None:
    """Check that a method keeps the contract; each failure says what to change."""
    from inpaintbench.benchmarks.check import load_class, run_checks
    from inpaintbench.methods import find_method

    broken = 0
    for description, problem in run_checks(
        load_class(method) if ":" in method else find_method(method)
    ):
        print(f"{'FAIL' if problem else 'ok  '} {description}")
        if problem:
            print(f"     {problem}")
            broken += 1
    if broken:
        print(f"{broken} of the contract's points are broken")
        raise typer.Exit(1)
    print("the contract is kept")


def _trial_table(trials: "list[Trial]") -> "pd.DataFrame":
    """Format what methods made of a picture; errors are left out where no truth is known."""
    import pandas as pd

    from inpaintbench.benchmarks.trying import same_answer

    notes = []
    for number, trial in enumerate(trials):
        same = same_answer(trial, trials[:number])
        notes.append(trial.note or (f"the same picture as {same}" if same else ""))
    table = pd.DataFrame(
        {
            "method": [t.label for t in trials],
            "family": [t.family for t in trials],
            "status": [t.status for t in trials],
            "seconds": [f"{t.seconds:.3g}" for t in trials],
            "MSE": [f"{t.mse:.1f}" for t in trials],
            "PSNR dB": [f"{t.psnr:.2f}" for t in trials],
            "message": notes,
        }
    ).replace("nan", "-")
    return table.drop(columns=[] if any(t.mse == t.mse for t in trials) else ["MSE", "PSNR dB"])


def _plain(text: str) -> str:
    """Show characters that would steer the terminal, or turn its direction, as escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _names(methods: str | None) -> list[str] | None:
    """Split what --methods gives; None if it was not given."""
    names = [name.strip() for name in (methods or "").split(",") if name.strip()]
    if methods is not None and not names:
        raise InputError("--methods names no method; inpaintbench list methods has them all")
    return names or None


def _made_methods(names: list[str]) -> "list[Method]":
    """Make methods from their names, each once."""
    from inpaintbench.methods import parse_method

    made = [parse_method(name) for name in names]
    return list({method.label: method for method in made}.values())


def _summary(documented: object) -> str:
    return (documented.__doc__ or "").strip().splitlines()[0]


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr)


def _console() -> "Console":
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = 160  # a file or a pipe has no width of its own
    return console


def _tell(news: str) -> None:
    """Print a line of news: where nobody reads on, as behind `| head`, the work goes on."""
    try:
        print(news, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _progress(
    console: "Console", totals: dict[str, int | None], what: str = "cases"
) -> Iterator["Advance"]:
    """Show a bar per method on a terminal, and a line per finished method elsewhere."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks = {n: bars.add_task(_plain(n), total=total) for n, total in totals.items()}

        def advance(label: str, count: int, total: int | None = None) -> None:
            if label not in tasks:
                return
            bars.update(tasks[label], advance=count, total=total)
            task = bars.tasks[tasks[label]]
            if not console.is_terminal and task.completed == task.total:
                _tell(f"{label}: {task.total} {what}")

        yield advance


def _print_run(console: "Console", run: "Run", page: Path, quiet: bool, json: bool) -> None:
    """Print leaderboard, failures, verdict and the page's place; less if `quiet`."""
    from inpaintbench.reports import texts

    if json:
        from json import dumps

        print(dumps(texts.summary(run) | {"page": str(page)}, indent=2))
        return
    if not quiet:
        _print_table(console, texts.leaderboard_text(run), SPARE)
        for note in texts.leak_notes(run):
            console.print(
                f"{texts.MARK} {_plain(note)}.", highlight=False, markup=False, soft_wrap=True
            )
        _print_table(console, texts.ceilings_text(run))
        own = texts.task_scores_text(run)
        if len(own):
            _print_table(console, own)
        failures = run.failures()
        if len(failures):
            _print_table(console, failures)
    if "unfinished" in run.environment:
        _warn(f"this run is not finished: {run.environment['unfinished']}")
    verdict = _plain(run.verdict())
    console.print(verdict, style="bold", highlight=False, markup=False, soft_wrap=True)
    console.print(f"Report: {page}", highlight=False, markup=False, soft_wrap=True)


def _print_table(console: "Console", frame: "pd.DataFrame", spare: Sequence[str] = ()) -> None:
    """Print a table of which numbers and names stay whole; only long texts wrap.

    Where the terminal is too narrow for all, columns of `spare` are left out, the first ones first.
    """
    from rich.measure import Measurement

    for left_out in range(len(spare) + 1):
        table = _table(frame.drop(columns=list(spare[:left_out])))
        least = Measurement.get(console, console.options.update_width(10_000), table).minimum
        if least <= console.width:
            break
    console.print(table, width=max(least, console.width), crop=False)
    if left_out:
        print(f"(too narrow for {', '.join(spare[:left_out])}: the page has them)")


def _table(frame: "pd.DataFrame") -> "Table":
    from rich import box
    from rich.cells import cell_len
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    cells = frame.map(lambda cell: escape(_plain(str(cell))))
    for column in cells.columns:
        side: Literal["left", "right"] = "left" if column in TEXTS else "right"
        width = max(map(cell_len, [column, *cells[column]]))
        table.add_column(column, justify=side, min_width=min(width, WIDEST), overflow="fold")
    for row in cells.to_numpy().tolist():
        table.add_row(*row)
    return table


if __name__ == "__main__":
    main()
