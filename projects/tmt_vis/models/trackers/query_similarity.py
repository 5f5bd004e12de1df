"""Which query of a frame is which query of the frame before."""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from mmdet.registry import TASK_UTILS
from scipy.optimize import linear_sum_assignment
from torch import Tensor


class TrackReference(NamedTuple):
    """Tracks that exist already, when a video is predicted in pieces.

    Args:
        queries: ``(Q, C)``, what each track looked like in one frame.
        frame: number of that frame in the piece that comes next; -1 = just before it.
    """

    queries: Tensor
    frame: int


@TASK_UTILS.register_module()
class QuerySimilarityTracker:
    """Link the queries of consecutive frames by cosine similarity, as MinVIS does.

    Every query of a frame continues one query of the frame before (Hungarian algorithm
    on ``1 - cosine``): there is no threshold, no birth, no death and no memory of
    earlier frames. An object that is absent is followed as "no object".
    """

    @torch.no_grad()
    def __call__(
        self, queries: Tensor, reference: TrackReference | None = None
    ) -> Tensor:
        """Sort the queries of every frame by track.

        The cosines do not depend on the order of the queries, so those of all frames
        are computed at once and reach the host in one copy.

        Args:
            queries: ``(T, Q, C)``, the final decoder states in front of the heads.
            reference: tracks to continue; None starts one with each query of the
                first frame.

        Returns:
            ``(T, Q)`` int64: ``[t, j]`` is the query of frame t on track j.
        """
        # Autocast would compare the queries of a bfloat16 prediction in bfloat16.
        with torch.autocast(queries.device.type, enabled=False):
            return self._sorted(queries.float(), reference)

    @staticmethod
    def _sorted(queries: Tensor, reference: TrackReference | None) -> Tensor:
        unit = F.normalize(queries, dim=-1)
        costs = (1 - unit[:-1] @ unit[1:].mT).cpu().numpy()  # (T - 1, Q, Q)
        order = [np.arange(queries.shape[1])]
        for cost in costs:
            order.append(_matched(cost[order[-1]]))
        by_track = np.stack(order)
        if reference is not None:
            frame = max(reference.frame, 0)
            known = F.normalize(reference.queries.to(unit), dim=-1)
            found = _matched((1 - known @ unit[frame].mT).cpu().numpy())
            column = np.argsort(by_track[frame])  # of each query
            by_track = by_track[:, column[found]]
        return torch.from_numpy(by_track).to(queries.device)


def _matched(cost: np.ndarray) -> np.ndarray:
    """Return the query of each track, for a cost of (tracks, queries)."""
    return linear_sum_assignment(cost)[1]
