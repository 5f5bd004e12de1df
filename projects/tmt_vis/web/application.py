"""Gradio's page and our routes in one application."""

import logging
import socket
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI

from .models import ModelShelf
from .page import STATIC, Page
from .routes import make_routes
from .visitors import Visitors

# A font of the system: Gradio's own would be fetched.
_FONTS = ["system-ui", "sans-serif"]


def make_application(shelf: ModelShelf, visitors: Visitors, sample: Path) -> FastAPI:
    """Return the whole application.

    Args:
        shelf: The models to pick from.
        visitors: Who looks at the page.
        sample: A video that ships.
    """
    application = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    application.include_router(make_routes(visitors))
    blocks = Page(shelf, visitors, sample).build()
    return gr.mount_gradio_app(
        application,
        blocks,
        path="/",
        max_file_size=1,  # uploads come to `routes`, which counts and removes them
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        theme=gr.themes.Soft(font=_FONTS, font_mono=["monospace"]),
        css=(STATIC / "page.css").read_text(encoding="utf-8"),
    )


def listen(
    shelf: ModelShelf, visitors: Visitors, sample: Path, *, host: str, port: int
) -> None:
    """Serve the application until a signal comes.

    Raises:
        OSError: If the address is not free.
    """
    shelf.get(shelf.titles[0])
    with socket.create_server((host, port)) as listener:
        application = make_application(shelf, visitors, sample)
        config = uvicorn.Config(
            application, log_level=logging.WARNING, timeout_graceful_shutdown=1
        )
        name = f"[{host}]" if ":" in host else host
        print(f"open http://{name}:{listener.getsockname()[1]}", flush=True)
        uvicorn.Server(config).run(sockets=[listener])
