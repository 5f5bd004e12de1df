"""The tracking of MinVIS as a loop over frames, for comparing."""

import numpy as np
from scipy.optimize import linear_sum_assignment


def tracked(queries: np.ndarray) -> np.ndarray:
    """Sort the queries of each frame by track.

    Args:
        queries: (T, Q, C).

    Returns:
        (T, Q): ``[t, j]`` is the query of frame t on track j.
    """
    count = queries.shape[1]
    order = [np.arange(count)]
    before = queries[0]  # by track
    for frame in queries[1:]:
        cost = np.zeros((count, count))
        for track in range(count):
            for query in range(count):
                a, b = before[track], frame[query]
                cosine = a @ b / (np.linalg.norm(a) * np.linalg.norm(b))
                cost[track, query] = 1 - cosine
        tracks, found = linear_sum_assignment(cost)
        assert (tracks == np.arange(count)).all()
        order.append(found)
        before = frame[found]
    return np.stack(order)
