"""Write tiny datasets in BURST's own layout, for tests."""

from collections.abc import Sequence

from helpers.mini_vis import Video, box_mask, encode

CATEGORIES = [dict(id=805, name="person"), dict(id=382, name="dog")]
CATEGORIES += [dict(id=229, name="cat"), dict(id=81, name="cow")]
IDS = {1: 805, 8: 382}  # the categories of mini_vis


def burst_json(videos: Sequence[Video], **lists: list[int]) -> dict:
    """Build the file of some videos.

    Args:
        videos: Their tracks and frames; every frame is annotated.
        **lists: ``neg_category_ids`` and others, the same for every sequence.
    """
    return dict(
        split="train",
        categories=[dict(c, synset="x", synonyms=[c["name"]]) for c in CATEGORIES],
        sequences=[_sequence(video, lists) for video in videos],
    )


def _sequence(video: Video, lists: dict[str, list[int]]) -> dict:
    frames = []
    for t in range(video.length):
        frame = {}
        for track in video.tracks:
            mask = box_mask(track.boxes[t], video.height, video.width)
            if mask.any():
                rle = encode(mask)["counts"]
                frame[str(track.track_id)] = dict(rle=rle, is_gt=True, score=1.0)
        frames.append(frame)
    names = [name.rpartition("/")[2] for name in video.file_names]
    return dict(
        id=video.video_id,
        seq_name=f"v{video.video_id}",
        dataset="HACS",
        fps=30,
        height=video.height,
        width=video.width,
        all_image_paths=["between.jpg", *names],
        annotated_image_paths=names,
        track_category_ids={str(t.track_id): IDS[t.category_id] for t in video.tracks},
        segmentations=frames,
        **dict(dict(neg_category_ids=[], not_exhaustive_category_ids=[]), **lists),
    )
