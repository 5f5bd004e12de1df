"""Prompt templates: how a category name becomes a sentence for a text encoder."""

from .errors import TaxonomyError

DEFAULT_TEMPLATE = "a photo of a {}."


def format_prompt(template: str, noun: str) -> str:
    """Put a noun into a template.

    Args:
        template: Text with exactly one ``{}``.
        noun: What to call the category.

    Returns:
        The prompt, e.g. ``'a photo of a giant panda.'``.

    Raises:
        TaxonomyError: If the template does not have exactly one ``{}``.
    """
    is_text = isinstance(template, str)
    if not is_text or template.count("{}") != 1 or template.count("{") != 1:
        raise TaxonomyError(
            "a template must be text with exactly one '{}', such as "
            f"{DEFAULT_TEMPLATE!r}; got {template!r}"
        )
    return template.replace("{}", noun)
