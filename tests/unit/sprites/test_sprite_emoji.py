"""Emoji sprites: found font, clear remedy, counted fall-backs."""

import numpy as np
import pytest


def test_a_missing_font_names_the_remedy(tmp_path):
    from sprite_vis.emoji import find_font

    with pytest.raises(FileNotFoundError, match="fonts-noto-color-emoji"):
        find_font([str(tmp_path)])


def test_a_font_in_a_subfolder_is_found(tmp_path):
    from sprite_vis.emoji import FONT_NAME, find_font

    path = tmp_path / "truetype" / "noto" / FONT_NAME
    path.parent.mkdir(parents=True)
    path.touch()
    assert find_font([str(tmp_path / "none"), str(tmp_path)]) == path


def test_every_emoji_belongs_to_a_category(catalogue):
    from sprite_vis.emoji import EMOJI

    keys = {key for c in range(len(catalogue)) for key in catalogue.keys(c)}
    names = {key.partition(":")[2] for key in keys}
    assert set(EMOJI) <= keys | names
    # a bare name with two meanings would give both the same picture
    concepts = {}
    for union_id in range(len(catalogue)):
        for key in catalogue.keys(union_id):
            concepts.setdefault(key.partition(":")[2], set()).add(union_id)
    assert all(len(concepts[name]) == 1 for name in EMOJI if ":" not in name)


@pytest.fixture
def emoji_source(catalogue, source):
    from sprite_vis.emoji import EmojiSource, find_font

    try:
        font_path = find_font()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    return EmojiSource(catalogue, fallback=source, font_path=font_path)


def test_emoji_and_fall_backs(catalogue, emoji_source):
    names = catalogue.label_spaces["uvo"].names
    selected = {"uvo": [names.index("dog"), names.index("bench")]}
    assert emoji_source.describe(selected)["drawn_as_emoji"] == 1
    assert emoji_source.describe(selected)["drawn_as_shapes"] == ["bench"]
    patches = [
        emoji_source.draw("uvo", slot, size=40, rng=np.random.default_rng(0))[0]
        for slot in selected["uvo"]
    ]
    for patch in patches:
        assert patch.shape == (40, 40, 4)
        assert (patch[..., :3] <= patch[..., 3:]).all()
        assert (patch[..., 3] > 128).mean() > 0.2
