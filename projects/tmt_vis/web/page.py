"""The page itself: what is asked on the left, what was found on the right."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import gradio as gr

from tmt_vis.command_line import describe_error

from .edits import Edits
from .errors import WebError
from .jobs import Job
from .limits import Limits
from .models import ModelShelf
from .routes import hide_folders
from .runs import Question, Run, predict
from .view import safe, show_error, show_note, show_progress, show_run
from .visitors import Visitor, Visitors

STATIC = files("tmt_vis.web") / "static"
_SPACE, _WORDS = "A label space", "My own words"
_TICK = 0.2  # seconds between two looks at a job
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class QuestionControls:
    """What is asked of one model."""

    model: gr.Dropdown
    kind: gr.Radio
    label_space: gr.Dropdown
    words: gr.Textbox

    @property
    def components(self) -> list[gr.components.Component]:
        """In the order of :meth:`Page.question`."""
        return [self.model, self.kind, self.label_space, self.words]


class Page:
    """Build the page and answer its events.

    Args:
        shelf: The models to pick from.
        visitors: Who looks at the page.
        sample: A video that ships.
    """

    def __init__(self, shelf: ModelShelf, visitors: Visitors, sample: Path) -> None:
        self.shelf, self.visitors, self.sample = shelf, visitors, sample

    @property
    def limits(self) -> Limits:
        """What a visitor may ask for."""
        return self.visitors.limits

    def build(self) -> gr.Blocks:
        """Return the page."""
        with gr.Blocks(title="TMT-VIS", analytics_enabled=False) as blocks:
            gr.HTML("<h1>TMT-VIS</h1><p>Find, segment and track what you name.</p>")
            with gr.Row():
                with gr.Column(scale=1, min_width=320):
                    upload, use_sample = self._video_controls()
                    first = self._question_controls("1")
                    compare = gr.Checkbox(
                        label="Compare with a second model or vocabulary"
                    )
                    with gr.Group(visible=False) as second_group:
                        second = self._question_controls("2")
                    score = gr.Slider(0, 1, 0.5, step=0.05, label="Least score")
                    with gr.Row():
                        start = gr.Button("Find tracks", variant="primary", min_width=0)
                        cancel = gr.Button("Cancel", interactive=False, min_width=0)
                with gr.Column(scale=3, min_width=480):
                    status = gr.HTML(show_note("Choose a video, then: Find tracks"))
                    with gr.Row():
                        views = [self._view("a"), self._view("b", visible=False)]
            compare.change(_visibility, compare, second_group, **_QUIET)
            inputs = [*first.components, compare, *second.components, score]
            outputs = [status, *views, start, cancel]
            start.click(self.run, inputs, outputs, **_QUIET)
            cancel.click(self.cancel, None, None, **_QUIET)
            use_sample.click(self.take_sample, None, [upload, status], **_QUIET)
            for number, view in enumerate(views):
                change = self._changer(number)
                view.change_track(change, None, [status, view], **_QUIET)
            blocks.load(self.greet, None, upload, **_QUIET)
            blocks.unload(self.leave)
        return blocks

    def _video_controls(self) -> tuple[gr.HTML, gr.Button]:
        upload = gr.HTML(
            "",
            elem_id="upload",
            apply_default_css=False,
            js_on_load=(STATIC / "upload.js").read_text(encoding="utf-8"),
        )
        return upload, gr.Button("Take the sample video", size="sm")

    def _question_controls(self, number: str) -> QuestionControls:
        title = self.shelf.titles[0]
        spaces, reads_text = self._abilities(title)
        suffix = "" if number == "1" else " (second)"
        controls = QuestionControls(
            model=gr.Dropdown(
                list(self.shelf.titles),
                value=title,
                label=f"Model{suffix}",
                elem_id=f"model-{number}",
            ),
            kind=gr.Radio(
                [_SPACE, _WORDS],
                value=_SPACE,
                label=f"Look for{suffix}",
                interactive=reads_text,
                info=_why_no_words(reads_text),
                elem_id=f"kind-{number}",
            ),
            label_space=gr.Dropdown(
                spaces,
                value=spaces[0],
                label=f"Label space{suffix}",
                elem_id=f"label-space-{number}",
            ),
            words=gr.Textbox(
                label=f"Words, separated by commas{suffix}",
                placeholder="dog, red bus",
                visible=False,
                elem_id=f"words-{number}",
            ),
        )
        controls.kind.change(
            lambda kind: [
                gr.update(visible=kind == _SPACE),
                gr.update(visible=kind == _WORDS),
            ],
            controls.kind,
            [controls.label_space, controls.words],
            **_QUIET,
        )
        controls.model.change(
            self.choose_model,
            controls.model,
            [controls.kind, controls.label_space],
            **_QUIET,
        )
        return controls

    def _view(self, name: str, *, visible: bool = True) -> gr.HTML:
        return gr.HTML(
            "",
            elem_id=f"view-{name}",
            visible=visible,
            apply_default_css=False,
            js_on_load=(STATIC / "view.js").read_text(encoding="utf-8"),
        )

    def _abilities(self, title: str) -> tuple[list[str], bool]:
        find = self.shelf.get(title)
        return list(find.label_spaces), find.model.head.accepts_text

    def choose_model(self, title: str) -> list[Any]:
        """Offer what a model can look for."""
        spaces, reads_text = self._abilities(title)
        kind = gr.update(interactive=reads_text, info=_why_no_words(reads_text))
        if not reads_text:
            kind["value"] = _SPACE
        return [kind, gr.update(choices=spaces, value=spaces[0])]

    def greet(self, request: gr.Request) -> str:
        """Show the upload of a visitor who has just come."""
        return self._upload(self._visitor(request))

    def leave(self, request: gr.Request) -> None:
        """Forget a visitor whose tab was closed."""
        self.visitors.close(request.session_hash)

    def take_sample(self, request: gr.Request) -> list[str]:
        """Look at the video that ships."""
        visitor = self._visitor(request)
        visitor.take_video(self.sample)
        return [self._upload(visitor), show_note("The sample video is ready")]

    def cancel(self, request: gr.Request) -> None:
        """Stop the visitor's job."""
        self._visitor(request).cancel()

    async def run(self, request: gr.Request, *values: Any) -> AsyncIterator[list[Any]]:
        """Predict the visitor's video; show progress, then results."""
        visitor = self._visitor(request)
        first, compare, second, score = values[:4], values[4], values[5:9], values[9]
        try:
            asked = [first, second] if compare else [first]
            questions = [self.question(*one, score) for one in asked]
            job = await asyncio.to_thread(self.start, visitor, questions)
        except WebError as error:
            yield _answer(show_error(str(error)))
            return
        while job.is_running and not job.is_cancelled:
            yield _answer(show_progress(job.progress), running=True)
            await asyncio.sleep(_TICK)
        yield self._outcome(job, visitor)

    def question(
        self, model: str, kind: str, label_space: str, words: str, score: float
    ) -> Question:
        """Read the controls.

        Raises:
            WebError: If something is missing.
        """
        asked = Question(model=model, label_space=label_space, score_thr=score)
        if kind != _WORDS:
            return asked
        return Question(
            model=model, words=self.limits.parse_words(words), score_thr=score
        )

    def start(self, visitor: Visitor, questions: list[Question]) -> Job[list[Run]]:
        """Start to answer questions about the visitor's video, one after the other.

        Raises:
            WebError: If there is no video, or a job runs already.
        """
        video = visitor.video
        if video is None:
            raise WebError("there is no video yet; upload one, or take the sample")

        def work(job: Job[list[Run]]) -> list[Run]:
            runs = []
            for question in questions:
                job.begin(f"Loading {question.model}")
                find = self.shelf.get(question.model)
                folder = visitor.new_folder()
                runs.append(predict(job, find, question, video, folder, self.limits))
            visitor.runs = runs
            return runs

        return visitor.start(work, self.visitors.places)

    def _outcome(self, job: Job[list[Run]], visitor: Visitor) -> list[Any]:
        if job.is_cancelled:
            return _answer(show_note("Cancelled"))
        if job.result is None:
            return _answer(show_error(self._describe(job.error, visitor)))
        shown = [show_run(run) for run in job.result]
        second = gr.update(value="", visible=False)
        if len(shown) > 1:
            second = gr.update(value=shown[1], visible=True)
        return _answer(show_note("Click a bar to correct a track"), shown[0], second)

    def _changer(self, number: int) -> Callable[..., Any]:
        """Return what answers corrections in one of the two views."""

        def change(request: gr.Request, event: gr.EventData) -> Any:
            visitor = self._visitor(request)
            try:
                run = visitor.runs[number]
                run.edits = _edited(run.edits, event, self.limits)
            except (IndexError, WebError) as error:
                text = str(error) if isinstance(error, WebError) else "no such result"
                yield show_error(text), gr.skip()
                return
            yield show_note("Drawing the video again"), gr.skip()
            run.draw(lambda done: None)
            yield (
                show_note("The correction is in the video and in all downloads"),
                (show_run(run)),
            )

        return change

    def _visitor(self, request: gr.Request) -> Visitor:
        return self.visitors.of(request.session_hash)

    def _upload(self, visitor: Visitor) -> str:
        name = "" if visitor.video is None else visitor.video.name
        text = safe(name) if name else "Drop a video here, or click to choose one"
        limits = (
            f"at most {self.limits.upload_mb} MB and {self.limits.frames} frames; it "
            "is deleted when you close this page"
        )
        return (
            f'<label class="tv-upload" data-token="{visitor.token}">'
            '<input type="file" accept="video/*,image/*,.mkv" aria-label="Video">'
            f"<b>{text}</b><small>{safe(limits)}</small></label>"
        )

    def _describe(self, error: Exception | None, visitor: Visitor) -> str:
        text = describe_error(error or WebError("nothing was found out"))
        if not isinstance(error, ValueError):
            _log.error("a prediction failed", exc_info=error)
        return hide_folders(text, visitor.folder)


# No progress of Gradio's own over the results; `Visitors.places` limits what runs.
_QUIET = dict(show_progress="hidden", concurrency_limit=None)


def _edited(edits: Edits, event: gr.EventData, limits: Limits) -> Edits:
    action = event.action
    if action == "rename":
        return edits.renamed(
            int(event.track), str(event.name), max_length=limits.word_length
        )
    if action == "drop":
        return edits.without(int(event.track))
    if action == "restore":
        return Edits()
    raise WebError(f"a correction is rename, drop or restore, got {action!r}")


def _answer(
    status: str, first: Any = None, second: Any = None, *, running: bool = False
) -> list[Any]:
    return [
        status,
        gr.skip() if first is None else first,
        gr.skip() if second is None else second,
        gr.update(interactive=not running),
        gr.update(interactive=running),
    ]


def _visibility(shown: bool) -> Any:
    return gr.update(visible=shown)


def _why_no_words(reads_text: bool) -> str | None:
    if reads_text:
        return None
    return "This model predicts the categories it was trained on; it reads no words."
