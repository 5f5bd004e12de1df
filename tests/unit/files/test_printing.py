"""What files say cannot act on the terminal that shows it."""

import pytest

from tmt_vis.printing import one_line, printable


@pytest.mark.parametrize(
    "text, shown",
    [
        ("giant panda", "giant panda"),
        ("Kuh, тигр, 虎, a\u00a0b", "Kuh, тигр, 虎, a\u00a0b"),
        ("\x1b]0;title\x07\x1b[2J", r"\x1b]0;title\x07\x1b[2J"),
        ("dog\r\nFAKE: AP 99.9", r"dog\r\nFAKE: AP 99.9"),
        ("\u202edog", r"\u202edog"),
        ("a\u2028b", r"a\u2028b"),
        ("\ud800", r"\ud800"),
        ("\x9b2J", r"\x9b2J"),
        ("\U0001f468\u200d\U0001f469", "\U0001f468\u200d\U0001f469"),
        (3, "3"),
    ],
)
def test_control_characters_are_escaped(text, shown):
    assert printable(text) == shown
    shown.encode()


def test_a_message_is_one_line():
    assert one_line(ValueError("two\n  lines \x1b[2J")) == r"two lines \x1b[2J"
