"""The categories of TAO that BURST's evaluator leaves out."""

# TAO ids (LVIS v0.5), as listed by the official evaluator: burst_base.py of
# github.com/JonathonLuiten/TrackEval.
DISTRACTORS = frozenset(
    (20, 63, 108, 180, 188, 204, 212, 247, 303, 403, 407, 415, 490, 504, 507, 513, 529)
    + (567, 569, 588, 672, 691, 702, 708, 711, 720, 736, 737, 798, 813, 815, 827, 831)
    + (851, 877, 883, 912, 971, 976, 1130, 1133, 1134, 1169, 1184, 1220)
)
