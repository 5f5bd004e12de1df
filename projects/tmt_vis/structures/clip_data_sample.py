"""What travels with a clip through loader, detector and metric."""

from mmengine.structures import BaseDataElement, InstanceData


class ClipDataSample(BaseDataElement):
    """Ground truth, predictions and facts of one clip (training) or video (test).

    Fields:
        gt_instances: InstanceData with labels (N,) int64 slots of the sample's label
            space, ids (N,) int64 source instance ids (0 is an id like any other), masks
            (N, T, H, W) bool, True on the object, and present (N, T) bool, False where
            the instance has no pixel in the frame.
        ignored_instances: The same for crowd regions; never positives.
        pred_tracks: InstanceData with scores (k,) float, labels (k,) int64 slots, tubes
            list[TubeRLE] at ``ori_shape``.

    Metainfo: dataset, label_space, video_id, video_name, frame_ids, video_length,
    ori_shape (H, W), img_shape (h, w) before padding, clip_seed, num_refetch,
    known_slots (tuple of the slots that were annotated or verified to be absent; None =
    all of the label space), incomplete_slots (tuple of those of which objects were left
    out) and, after the preprocessor, batch_input_shape (Hp, Wp).
    """

    @property
    def gt_instances(self) -> InstanceData:
        return self._gt_instances

    @gt_instances.setter
    def gt_instances(self, value: InstanceData) -> None:
        self.set_field(value, "_gt_instances", dtype=InstanceData)

    @gt_instances.deleter
    def gt_instances(self) -> None:
        del self._gt_instances

    @property
    def ignored_instances(self) -> InstanceData:
        return self._ignored_instances

    @ignored_instances.setter
    def ignored_instances(self, value: InstanceData) -> None:
        self.set_field(value, "_ignored_instances", dtype=InstanceData)

    @ignored_instances.deleter
    def ignored_instances(self) -> None:
        del self._ignored_instances

    @property
    def pred_tracks(self) -> InstanceData:
        return self._pred_tracks

    @pred_tracks.setter
    def pred_tracks(self, value: InstanceData) -> None:
        self.set_field(value, "_pred_tracks", dtype=InstanceData)

    @pred_tracks.deleter
    def pred_tracks(self) -> None:
        del self._pred_tracks
