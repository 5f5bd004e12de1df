"""Make the text embeddings of label spaces; used by tools/text_embeddings.py."""

from collections.abc import Sequence

from tmt_vis.taxonomy import LabelSpace, format_prompt

from .base import Progress, TextEncoder
from .embedding_file import TextEmbeddings
from .embedding_store import PROBE_PROMPT
from .errors import TextEmbeddingError


def prompts_of(
    label_spaces: Sequence[LabelSpace], templates: Sequence[str]
) -> tuple[str, ...]:
    """Return every prompt that any union of some label spaces can ask for.

    A union takes each prompt from one of its members, so the members' own prompts
    cover all unions.

    Args:
        label_spaces: The label spaces.
        templates: Templates with exactly one ``{}`` each.

    Returns:
        Distinct prompts, in order of appearance.
    """
    nouns = [c.noun for space in label_spaces for c in space.categories if c.noun]
    return tuple(dict.fromkeys(format_prompt(t, n) for t in templates for n in nouns))


def make_text_embeddings(
    encoder: TextEncoder,
    label_spaces: Sequence[LabelSpace],
    templates: Sequence[str],
    *,
    command: str,
    progress: Progress | None = None,
) -> TextEmbeddings:
    """Encode the prompts of label spaces.

    One prompt that no category has goes along into every file, so that files made
    with different weights under one name contradict each other when they meet.

    Args:
        encoder: The encoder.
        label_spaces: The label spaces.
        templates: Templates with exactly one ``{}`` each.
        command: How it was made, for the header.
        progress: Called with (done, total).

    Returns:
        The embeddings.

    Raises:
        TextEmbeddingError: If no category has text, or the encoder fails.
    """
    prompts = prompts_of(label_spaces, templates)
    if not prompts:
        raise TextEmbeddingError(
            "none of the categories has text: "
            f"{', '.join(space.name for space in label_spaces)}"
        )
    prompts = tuple(dict.fromkeys((*prompts, PROBE_PROMPT)))
    vectors = encoder.encode(prompts, progress=progress)
    return TextEmbeddings(
        encoder=encoder.identity,
        templates=tuple(templates),
        label_spaces={space.name: space.names for space in label_spaces},
        prompts=prompts,
        vectors=vectors,
        made_with={**encoder.provenance(), "command": command},
    )
