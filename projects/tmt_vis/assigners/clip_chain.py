"""Matching over the clips of a video: an object keeps the query that found it first."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


class ClipMatches(NamedTuple):
    """The queries of the objects of one video in one clip.

    Args:
        masks: ``(S, N)`` int64, the query whose masks are compared with an object's; -1
            for an object that is absent or has none.
        classes: ``(S, N)`` the query that has to name the object. As ``masks``, but -1
            for the younger of two objects that share a query.
        leftover: objects of this clip without a query in some stage.
    """

    masks: NDArray[np.int64]
    classes: NDArray[np.int64]
    leftover: int


class ClipChain:
    """Assign objects to propagated queries (unified video label assignment, GenVIS).

    In each clip, the objects that appear for the first time are matched with the
    queries that no present object has. All others keep their query, also over clips in
    which they are absent.

    A vanished object does not hold its query, as in the released code. When it returns
    after a newcomer took the query, both have it: masks of both are compared, and the
    query has to name the one that had it first.

    Args:
        num_objects: ``N`` of the video.
        num_stages: ``S`` decoder stages, each of which has a chain of its own.
        protect_vanished: let vanished objects hold their queries.
    """

    def __init__(
        self, *, num_objects: int, num_stages: int, protect_vanished: bool = False
    ) -> None:
        shape = (num_stages, num_objects)
        self.protect_vanished = protect_vanished
        self._queries = np.full(shape, -1, dtype=np.int64)
        self._since = np.full(shape, -1, dtype=np.int64)
        self._clip = 0

    def step(
        self, costs: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> ClipMatches:
        """Match the objects of the next clip.

        Args:
            costs: ``(S, Q, N)``, finite.
            present: ``(N,)`` objects with a pixel in the clip.
        """
        for stage, cost in enumerate(costs):
            self._match_new(self._queries[stage], self._since[stage], cost, present)
        self._clip += 1
        masks = np.where(present, self._queries, -1)
        leftover = int((present & (self._queries < 0)).any(0).sum())
        return ClipMatches(masks, self._without_younger(masks), leftover)

    def _match_new(
        self,
        queries: NDArray[np.int64],
        since: NDArray[np.int64],
        cost: NDArray[np.float32],
        present: NDArray[np.bool_],
    ) -> None:
        known = queries >= 0
        (new,) = np.nonzero(present & ~known)
        held = known if self.protect_vanished else known & present
        free = np.setdiff1d(np.arange(len(cost)), queries[held])
        rows, columns = linear_sum_assignment(cost[np.ix_(free, new)])
        queries[new[columns]] = free[rows]
        since[new[columns]] = self._clip

    def _without_younger(self, masks: NDArray[np.int64]) -> NDArray[np.int64]:
        """Leave each query to the object that has had it for the longest time."""
        classes = masks.copy()
        for row, since in zip(classes, self._since, strict=True):
            taken: set[int] = set()
            for index in np.argsort(since, kind="stable"):
                if row[index] in taken:
                    row[index] = -1
                elif row[index] >= 0:
                    taken.add(int(row[index]))
        return classes
