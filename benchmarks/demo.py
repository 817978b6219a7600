"""The demo: a page on this machine where one draws holes into a picture and sees them restored.

FastAPI with one static page, not gradio: gradio would bring dozens of packages, ask its makers'
servers for its version unless told not to, and draw the page itself, so that neither its
accessibility nor its content security policy would be ours to answer for.

The server keeps nothing: every request brings the picture along. The process that restores sees
only what is known, as in a run.
"""

import base64
import hashlib
import io
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import BoundedSemaphore
from typing import Annotated, Any

import numpy as np
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from PIL import Image
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.middleware.base import RequestResponseEndpoint
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect

from inpaintbench.benchmarks.trying import (
    USUAL,
    Restore,
    Trial,
    around,
    restorer,
    try_method,
)
from inpaintbench.datasets.cases import Array, Mask
from inpaintbench.datasets.errors import InputError
from inpaintbench.datasets.images import decode_in_colour
from inpaintbench.methods.registry import find_method, method_classes
from inpaintbench.reports.tiles import Shades, data_address, eight_bits, shades_of

PAGE = Path(__file__).parent / "pages" / "demo.html"

MOST_BYTES = 32 * 2**20  # of a picture file
MOST_PIXELS = 16_000_000
MOST_RUNS = 500_000  # of hidden pixels
MOST_BODY = 2 * MOST_BYTES  # of a request: base64 takes a third more, and the runs are short
MOST_WAITING = 8  # requests to restore; they are served one after the other
SHOWN_MARGIN = 24  # pixels around the holes that are shown

LOCAL = ("127.0.0.1", "localhost", "::1", "[::1]")
EVERYWHERE = ("", "0.0.0.0", "::")

Place = Annotated[int, Field(ge=0, le=MOST_PIXELS, strict=True)]


class Order(BaseModel):
    """What the page asks for: one method on one picture.

    `hidden` lists the hidden pixels as runs in row-major order: the first pixel of a run, how many
    there are, the first pixel of the next run, and so on.
    """

    model_config = ConfigDict(extra="forbid")

    picture: Base64Bytes
    hidden: Annotated[list[Place], Field(min_length=2, max_length=2 * MOST_RUNS)]
    method: Annotated[str, Field(max_length=1000)]
    truth: bool


def serve(
    host: str, port: int, timeout: float, ready: Callable[[str], None], warn: Callable[[str], None]
) -> None:
    """Serve the demo until it is interrupted.

    Parameters
    ----------
    host, port : where to listen; port 0 takes any free one
    timeout : seconds that a method may take for a picture
    ready : receives the page's address once it can be opened
    warn : receives what the user should know

    Raises
    ------
    InputError
        If nothing can listen there.
    """
    if host not in LOCAL:
        warn(f"whoever reaches {host or 'this machine'} can use the demo: it asks for no password")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that no worker is left behind
    with _listening(host, port) as listening, restorer(timeout) as restore:
        config = uvicorn.Config(
            build_app(restore, ["*"] if host in EVERYWHERE else [host, *LOCAL]),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        ready(_address(listening))
        with suppress(KeyboardInterrupt):  # the usual way to end it
            uvicorn.Server(config).run(sockets=[listening])


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except (OSError, OverflowError, UnicodeError) as error:
        where = f"{host or 'this machine'}, port {port}"
        raise InputError(f"cannot listen on {where}: {error}; choose another") from error
    with listening:
        yield listening


def _address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def build_app(restore: Restore, hosts: list[str]) -> FastAPI:
    """Make the application.

    Parameters
    ----------
    restore : from `restorer`
    hosts : names that a request may address it by: any other could be a foreign site's that was
        made to point here (DNS rebinding); "*" allows all
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)  # they load foreign scripts
    _add_routes(app, restore)
    app.add_exception_handler(AnyHTTPException, _refuse)
    for kind in (InputError, ValidationError, ClientDisconnect):
        app.add_exception_handler(kind, _refuse)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)
    headers = _headers(PAGE.read_text(encoding="utf-8"))

    @app.middleware("http")
    async def guarded(request: Request, call_next: RequestResponseEndpoint) -> Response:
        response = await call_next(request)
        response.headers.update(headers)
        return response

    return app


def _add_routes(app: FastAPI, restore: Restore) -> None:
    waiting = BoundedSemaphore(MOST_WAITING)

    @app.get("/")
    def page() -> Response:
        return HTMLResponse(PAGE.read_text(encoding="utf-8"))

    @app.get("/api/methods")
    def methods() -> Response:
        return JSONResponse(described_methods())

    @app.post("/api/picture")
    async def picture(request: Request) -> Response:
        body = await _body(request, "application/octet-stream", MOST_BYTES)
        return await run_in_threadpool(_preview, body)

    @app.post("/api/restore")
    async def restored(request: Request) -> Response:
        body = await _body(request, "application/json", MOST_BODY)
        if not waiting.acquire(blocking=False):
            raise HTTPException(503, "too many pictures are waiting; try again later")
        try:
            return await run_in_threadpool(_answer, restore, body)
        finally:
            waiting.release()


async def _body(request: Request, kind: str, most: int) -> bytes:
    """Read a request's body, no further than it may be long.

    Only what another site cannot send without asking first is read: `kind` is neither a form's
    nor plain text's, and no other site is given permission.
    """
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != kind:
        raise HTTPException(415, f"the content type must be {kind}")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise HTTPException(413, f"more than {most // 2**20} MiB: use a smaller file")
    return bytes(body)


def _refuse(_: Request, error: Exception) -> Response:
    """Answer a mistake with a line of text, cut to a length that can be read."""
    status, message = 400, str(error)
    if isinstance(error, AnyHTTPException):
        status, message = error.status_code, str(error.detail)
    elif isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        status, message = 422, f"{place or 'the request'}: {first['msg']}"
    return JSONResponse({"error": message[:500]}, status)


def _headers(page: str) -> dict[str, str]:
    """Headers of every answer: the page's own script and style run, and nothing else does."""

    def hashes(tag: str) -> str:
        found = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(t.encode()).digest()).decode() for t in found]
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    policy = (
        f"default-src 'none'; script-src {hashes('script')}; style-src {hashes('style')}; "
        "img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def described_methods() -> list[dict[str, Any]]:
    """Describe every method that fills holes; `usual` are ticked from the start."""
    return [
        {
            "name": name,
            "family": method.family,
            "summary": (method.__doc__ or "").strip().partition("\n")[0],
            "usual": name in USUAL,
        }
        for name, method in method_classes().items()
        if method.fills_holes()
    ]


def _decoded(data: bytes) -> Array:
    try:
        return decode_in_colour(data, MOST_PIXELS)
    except ValueError as error:
        raise InputError(f"the picture {error}") from error


def _preview(data: bytes) -> Response:
    """Show a picture as it is restored: upright, in 8 bits, in a form that every browser knows."""
    pixels = _decoded(data)
    shades = shades_of(pixels)
    headers = {"X-Bits": shades.text or f"{8 * pixels.dtype.itemsize} bits"}
    return Response(_png(eight_bits(pixels, shades)), media_type="image/png", headers=headers)


def _answer(restore: Restore, body: bytes) -> Response:
    order = Order.model_validate_json(body)
    method = find_method(order.method)()
    picture = _decoded(order.picture)
    mask = hidden_pixels(order.hidden, picture.shape[:2])
    trial = try_method(restore, method, picture, mask, order.truth)
    return JSONResponse(_shown(trial, mask, shades_of(picture)))


def hidden_pixels(runs: list[int], shape: tuple[int, ...]) -> Mask:
    """Turn an order's runs into a mask.

    Raises
    ------
    InputError
        If they overlap, are not in order, leave the picture, or hide nothing or everything.
    """
    if len(runs) % 2:
        raise InputError("hidden: a run without a length")
    starts, lengths = np.array(runs, np.int64).reshape(-1, 2).T
    ends = starts + lengths
    size = shape[0] * shape[1]
    if (lengths < 1).any() or (starts[1:] < ends[:-1]).any() or ends[-1] > size:
        raise InputError(f"hidden: no runs of a picture of {shape[0]}x{shape[1]} pixels, in order")
    steps = np.zeros(size + 1, np.int8)
    steps[starts] += 1
    steps[ends] -= 1  # a run may begin where another ends
    mask: Mask = np.cumsum(steps[:-1], dtype=np.int8).reshape(shape).astype(bool)
    if mask.all():
        raise InputError("every pixel is hidden: leave some for the methods to go by")
    return mask


def _shown(trial: Trial, mask: Mask, shades: Shades) -> dict[str, Any]:
    """Describe a trial as JSON, with what surrounds the holes as a picture in 8 bits.

    Its shades are those of the preview, so that the two can be compared.
    """
    rows, columns = around(mask, SHOWN_MARGIN)
    window = [rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start]
    known = {"seconds": trial.seconds, "mse": trial.mse, "psnr": trial.psnr}
    shown: dict[str, Any] = {
        key: value if np.isfinite(value) else None for key, value in known.items()
    }
    shown |= {"status": trial.status, "note": trial.note[:500], "window": window, "picture": None}
    if trial.picture is not None:
        png = _png(eight_bits(trial.picture[rows, columns], shades))
        shown["picture"] = data_address("image/png", png)
    return shown


def _png(pixels: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)  # it goes to this machine
    return buffer.getvalue()
