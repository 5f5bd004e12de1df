"""A cache that threads share and models carry along."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

from tmt_vis.ops import BoundedCache


def test_the_latest_results_are_kept():
    calls = []
    cache = BoundedCache(lambda *key: calls.append(key) or key, 2)
    assert cache(1, "a") == (1, "a") and cache(2, "b") == (2, "b")
    assert cache(1, "a") == (1, "a") and len(calls) == 2
    cache(3, "c")
    assert len(cache) == 2
    cache(1, "a")
    assert calls == [(1, "a"), (2, "b"), (3, "c"), (1, "a")]


def test_threads_get_what_they_ask_for():
    cache = BoundedCache(lambda n: n * n, 3)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(cache, [n % 11 for n in range(5000)]))
    assert found == [(n % 11) ** 2 for n in range(5000)]
    assert len(cache) <= 3


def test_copies_start_empty():
    cache = BoundedCache(abs, 3)
    cache(-1)
    for twin in (copy.deepcopy(cache), pickle.loads(pickle.dumps(cache))):
        assert len(twin) == 0 and twin(-2) == 2
    assert len(cache) == 1
