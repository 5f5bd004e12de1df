"""Addresses beside the page: uploads, videos, outlines, downloads.

Every address holds a token that only one visitor knows.
"""

import secrets
import shutil
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool

from tmt_vis.command_line import describe_error
from tmt_vis.files import file_name

from .errors import WebError
from .exports import write_archive, write_results
from .limits import open_checked
from .runs import Run
from .visitors import Visitor, Visitors

_GONE = "this page was closed or was idle for too long; reload it"


def make_routes(visitors: Visitors) -> APIRouter:
    """Return the routes for the results and uploads of visitors."""
    router = APIRouter()

    @router.put("/visitors/{token}/video/{name}")
    async def upload(token: str, name: str, request: Request) -> Response:
        visitor = visitors.by_token(token)
        if visitor is None:
            return PlainTextResponse(_GONE, 404)
        try:
            path = await receive(visitor, name, request)
        except ValueError as error:
            return PlainTextResponse(_shown(error, visitor.folder), 422)
        return JSONResponse({"name": path.name})

    @router.get("/runs/{token}/{name}.mp4")
    def video(token: str, name: str, download: bool = False) -> Response:
        run = visitors.run(token)
        if run is None or f"{name}.mp4" != run.video.name:
            return PlainTextResponse(_GONE, 404)
        shown = f"{file_name(run.result.name)}.mp4" if download else None
        return FileResponse(run.video, media_type="video/mp4", filename=shown)

    @router.get("/runs/{token}/outlines/{track_id}")
    def outlines(token: str, track_id: int) -> Response:
        run = visitors.run(token)
        if run is None:
            return PlainTextResponse(_GONE, 404)
        try:
            return JSONResponse(run.outlines(track_id))
        except WebError as error:
            return PlainTextResponse(str(error), 404)

    @router.get("/runs/{token}/tracks.json")
    def results(token: str) -> Response:
        return _download(visitors.run(token), None)

    @router.get("/runs/{token}/export/{target}")
    def export(token: str, target: str) -> Response:
        return _download(visitors.run(token), target)

    return router


async def receive(visitor: Visitor, name: str, request: Request) -> Path:
    """Write an uploaded video into a visitor's folder, and look whether it is one.

    Args:
        visitor: Looks at it from now on.
        name: Of the file, as the browser says.
        request: Its body is the file.

    Raises:
        WebError: If it is too large, or no video.
        FrameSourceError: If it cannot be decoded.
    """
    limits = visitor.limits
    limits.check_upload(int(request.headers.get("content-length") or 0))
    path = visitor.new_folder() / file_name(name, default="video")
    path.parent.mkdir()
    try:
        count = 0
        with open(path, "wb") as stream:
            async for chunk in request.stream():
                count += len(chunk)
                limits.check_upload(count)
                stream.write(chunk)
        await run_in_threadpool(open_checked, path, limits)
    except BaseException:  # a closed tab, too
        shutil.rmtree(path.parent, ignore_errors=True)
        raise
    visitor.take_video(path)
    return path


def _download(run: Run | None, target: str | None) -> Response:
    """Make a file, send it, remove it."""
    if run is None:
        return PlainTextResponse(_GONE, 404)
    folder = run.folder / secrets.token_hex(8)
    folder.mkdir()
    try:
        if target is None:
            path = write_results(run.result, folder)
        else:
            path = write_archive(run.result, target, folder)
    except ValueError as error:
        shutil.rmtree(folder)
        return PlainTextResponse(_shown(error, run.folder), 422)
    except BaseException:
        shutil.rmtree(folder)
        raise
    remove = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(path, filename=path.name, background=remove)


def _shown(error: Exception, folder: Path) -> str:
    """Describe an error without the names of the server's folders."""
    return hide_folders(describe_error(error), folder)


def hide_folders(text: str, folder: Path) -> str:
    """Leave the path of a file below ``folder`` out of a text, but for its name."""
    words = [
        Path(word).name if str(folder) in word else word for word in text.split(" ")
    ]
    return " ".join(words)
