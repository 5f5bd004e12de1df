"""GenVIS's memory against the formula, and as a value."""

import pytest
import torch

from tmt_vis.models.prototype_memory import PrototypeBank, PrototypeMemory

CHANNELS = 8


@pytest.fixture
def memory():
    torch.manual_seed(0)
    made = PrototypeMemory(channels=CHANNELS)
    for parameter in made.parameters():
        parameter.data.normal_()
    return made


def states(count, batch=2, queries=3):
    return torch.randn(count, batch, queries, CHANNELS)


def written_out(memory, queries, past):
    """Read as published: all queries x all prototypes, of which the diagonal counts."""
    key, value = memory.query_key(queries), memory.query_value(queries)
    read = queries + value
    if not past:
        return read
    for batch in range(len(queries)):
        for query in range(queries.shape[1]):
            keys = torch.stack([memory.memory_key(z[batch, query]) for z in past])
            values = torch.stack([memory.memory_value(z[batch, query]) for z in past])
            weights = (keys @ key[batch, query]).softmax(0)
            read[batch, query] += weights @ values
    return read


@torch.no_grad()
def test_each_query_reads_its_own_past(memory):
    past, bank = [], PrototypeBank()
    for state in states(12):
        expected = written_out(memory, state, past)
        got = memory.read(state, bank)
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-5)
        if past:
            assert (got - memory.read(state, PrototypeBank())).abs().max() > 0.1
        normed = state.tanh()
        bank, past = memory.write(normed, bank), [*past, normed]
    assert len(bank) == 12


def test_gradients_reach_all_that_was_remembered(memory):
    past = states(3).requires_grad_()
    bank = PrototypeBank()
    for state in past:
        bank = memory.write(state, bank)
    memory.read(states(1)[0], bank).sum().backward()
    assert (past.grad.abs().sum((1, 2, 3)) > 0).all()
    assert all(p.grad is not None for p in memory.parameters())


@torch.no_grad()
def test_a_bank_is_a_value(memory):
    """Going on from a bank twice leaves both ways alone."""
    shared = PrototypeBank()
    for state in states(9):
        shared = memory.write(state, shared)
    before = shared.keys.clone()
    left, right = states(2)
    ways = [shared, shared]
    for _ in range(3):
        ways = [memory.write(s, b) for s, b in zip((left, right), ways, strict=True)]
    assert torch.equal(shared.keys, before)
    for bank, state in zip(ways, (left, right), strict=True):
        assert len(bank) == 12
        assert torch.equal(bank.keys[:, :, :9], before)
        assert torch.equal(bank.keys[:, :, -1], memory.memory_key(state))


@torch.no_grad()
def test_a_limit_forgets_the_oldest():
    torch.manual_seed(0)
    memory = PrototypeMemory(channels=CHANNELS, max_entries=4)
    bank, past = PrototypeBank(), []
    for state in states(40):
        bank, past = memory.write(state, bank), [*past, state]
        assert len(bank) == min(len(past), 4)
        expected = torch.stack([memory.memory_value(z) for z in past[-4:]], 2)
        assert torch.equal(bank.values, expected)
    assert bank.storage.tensors[0].shape[2] <= 16


@torch.no_grad()
def test_a_stored_bank_reads_the_same_bits(memory):
    bank = PrototypeBank()
    for state in states(11):
        bank = memory.write(state, bank)
        stored = PrototypeBank.of(bank.keys.clone(), bank.values.clone())
        assert torch.equal(memory.read(state, bank), memory.read(state, stored))
        assert len(memory.write(state, stored)) == len(bank) + 1
    assert len(PrototypeBank.of(bank.keys[:, :, :0], bank.values[:, :, :0])) == 0


@pytest.mark.parametrize("entries", [0, -3])
def test_a_limit_below_one_is_refused(entries):
    with pytest.raises(ValueError, match=r"max_entries must be >= 1 clip or None, got"):
        PrototypeMemory(max_entries=entries)
