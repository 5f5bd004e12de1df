"""Attention over long keys, which are projected in parts at inference."""

import pytest
import torch

from tmt_vis.models.layers import Attention, attention
from tmt_vis.ops import attend_in_parts


@pytest.mark.parametrize("with_pos", [False, True])
@pytest.mark.parametrize("with_keep", [False, True])
def test_long_keys_are_projected_in_parts(monkeypatch, with_keep, with_pos):
    torch.manual_seed(0)
    layer = Attention(16, 4).requires_grad_(False)
    query, key, value = (torch.randn(2, n, 16) for n in (3, 11, 11))
    keep = torch.rand(2, 3, 11) > 0.5 if with_keep else None
    options = dict(keep=keep, key_pos=torch.randn(1, 11, 16) if with_pos else None)
    whole = layer(query, key, value, **options)
    monkeypatch.setattr("tmt_vis.models.layers.attention._KEYS_AT_ONCE", 4)
    calls = []
    monkeypatch.setattr(
        "tmt_vis.models.layers.attention.attend_in_parts",
        lambda q, parts: attend_in_parts(q, calls.extend(kept := list(parts)) or kept),
    )
    assert torch.equal(layer(query, key, value, **options), whole), "training: at once"
    with torch.no_grad():
        parts = layer(query, key, value, **options)
    assert [key.shape[2] for key, _, _ in calls] == [4, 4, 3]
    torch.testing.assert_close(parts, whole)


def test_another_torch_attends_to_all_keys_at_once(monkeypatch):
    monkeypatch.setattr(attention, "CAN_ATTEND_IN_PARTS", False)
    monkeypatch.setattr(attention, "attend_in_parts", None)
    layer = Attention(16, 2).eval()
    keys = torch.randn(1, attention._KEYS_AT_ONCE + 1, 16)
    with torch.no_grad():
        assert layer(torch.randn(1, 3, 16), keys, keys).shape == (1, 3, 16)
