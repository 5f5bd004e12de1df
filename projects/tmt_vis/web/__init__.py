"""A page to try models in a browser: ``make web``, ``tmt-vis web``.

The logic imports neither Gradio nor FastAPI; ``page``, ``routes`` and ``server`` do
(requirements/web.txt) and are imported by ``tools/web.py`` only.
"""

from .edits import Edits
from .errors import WebError
from .jobs import Job, Progress
from .limits import Limits, open_checked
from .models import ModelChoice, ModelShelf, choices_of
from .runs import Question, Run, predict
from .visitors import Visitor, Visitors

__all__ = [
    "Edits",
    "Job",
    "Limits",
    "ModelChoice",
    "ModelShelf",
    "Progress",
    "Question",
    "Run",
    "Visitor",
    "Visitors",
    "WebError",
    "choices_of",
    "open_checked",
    "predict",
]
