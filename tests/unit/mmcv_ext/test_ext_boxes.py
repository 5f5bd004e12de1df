"""nms, roi_align and focal loss behind mmcv's own functions."""

import pytest
import torch
import torchvision.ops as tv
from mmcv.ops import nms, roi_align, sigmoid_focal_loss
from mmdet.models.losses.focal_loss import py_sigmoid_focal_loss


def make_boxes(count):
    generator = torch.Generator().manual_seed(1)
    corner = torch.rand(count, 2, generator=generator) * 60
    size = torch.rand(count, 2, generator=generator) * 30 + 1
    scores = torch.rand(count, generator=generator)
    return torch.cat([corner, corner + size], dim=1), scores


def greedy_nms(boxes, scores, threshold, offset):
    """The definition: take the best, drop what overlaps it, repeat."""
    order, kept = scores.argsort(descending=True).tolist(), []

    def area(width, height):
        return max(width + offset, 0) * max(height + offset, 0)

    def iou(a, b):
        inner = area(
            min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        )
        both = area(a[2] - a[0], a[3] - a[1]) + area(b[2] - b[0], b[3] - b[1])
        return inner / (both - inner)

    rows = boxes.tolist()
    while order:
        best = order.pop(0)
        kept.append(best)
        order = [i for i in order if iou(rows[best], rows[i]) <= threshold]
    return kept


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("threshold", [0.1, 0.5])
def test_nms_is_greedy_suppression(threshold, offset):
    boxes, scores = make_boxes(60)
    dets, kept = nms(boxes, scores, threshold, offset=offset)
    assert kept.tolist() == greedy_nms(boxes, scores, threshold, offset)
    assert torch.equal(dets, torch.cat([boxes, scores[:, None]], dim=1)[kept])


def test_nms_offset_matters_for_small_boxes():
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0], [1.0, 0.0, 2.0, 1.0]])
    scores = torch.tensor([0.9, 0.8])
    assert len(nms(boxes, scores, 0.3, offset=0)[1]) == 2
    assert len(nms(boxes, scores, 0.3, offset=1)[1]) == 1  # IoU 2 / 6


def test_nms_matches_torchvision_in_half_precision():
    boxes, scores = make_boxes(40)
    boxes, scores = (boxes * 20).half(), scores.half()  # areas overflow fp16
    want = tv.nms(boxes.float(), scores.float(), 0.3)
    assert torch.equal(nms(boxes, scores, 0.3)[1], want)


def test_nms_without_boxes():
    dets, kept = nms(torch.zeros(0, 4), torch.zeros(0), 0.5)
    assert dets.shape == (0, 5) and kept.shape == (0,)


def make_rois():
    return torch.tensor(
        [[0, 1.3, 2.1, 9.7, 11.9], [1, 0, 0, 15, 15], [0, 12.2, 3.3, 22.0, 9.0]],
        dtype=torch.float64,
    )


@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("sampling_ratio", [0, 1, 2])
def test_roi_align_forward_and_backward(aligned, sampling_ratio):
    generator = torch.Generator().manual_seed(2)
    features = torch.rand(2, 3, 8, 9, generator=generator, dtype=torch.float64)
    ours = features.clone().requires_grad_()
    theirs = features.clone().requires_grad_()
    got = roi_align(ours, make_rois(), (3, 2), 0.5, sampling_ratio, "avg", aligned)
    want = tv.roi_align(theirs, make_rois(), (3, 2), 0.5, sampling_ratio, aligned)
    torch.testing.assert_close(got, want)
    cotangent = torch.rand(got.shape, generator=generator, dtype=torch.float64)
    got.backward(cotangent)
    want.backward(cotangent)
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_roi_align_keeps_the_dtype(dtype):
    features = torch.rand(2, 3, 8, 9).to(dtype).requires_grad_()
    pooled = roi_align(features, make_rois().to(dtype), (2, 2), 0.5, 2, "avg", True)
    pooled.float().sum().backward()
    assert pooled.dtype == features.grad.dtype == dtype
    want = tv.roi_align(
        features.float(), make_rois().to(dtype).float(), 2, 0.5, 2, True
    )
    torch.testing.assert_close(pooled.float(), want, atol=1e-2, rtol=1e-2)


def test_roi_align_without_rois():
    features = torch.rand(1, 3, 4, 4, requires_grad=True)
    pooled = roi_align(features, torch.zeros(0, 5), (2, 2), 1.0, 0, "avg", True)
    pooled.sum().backward()
    assert pooled.shape == (0, 3, 2, 2)
    assert not features.grad.any()


def test_roi_align_refuses_max_pooling():
    with pytest.raises(NotImplementedError, match="pool_mode='avg'"):
        roi_align(
            torch.rand(1, 1, 4, 4), torch.zeros(1, 5), (2, 2), 1.0, 0, "max", True
        )


def test_focal_loss_equals_mmdets_cpu_version():
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(5, 3, generator=generator, dtype=torch.float64) * 4
    target = torch.tensor([0, 2, 3, 1, 3])  # 3 is background
    ours, theirs = (logits.clone().requires_grad_() for _ in range(2))
    got = sigmoid_focal_loss(ours, target, 2.0, 0.25, None, "sum")
    one_hot = torch.nn.functional.one_hot(target, 4)[:, :3]
    want = py_sigmoid_focal_loss(
        theirs, one_hot, gamma=2.0, alpha=0.25, reduction="sum"
    )
    torch.testing.assert_close(got, want)
    got.backward()
    want.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_focal_loss_is_finite_where_the_sigmoid_saturates():
    logits = torch.tensor([[200.0, -200.0]], requires_grad=True)
    loss = sigmoid_focal_loss(logits, torch.tensor([1]), 2.0, 0.25, None, "sum")
    loss.backward()
    assert loss.isfinite() and logits.grad.isfinite().all()
    assert loss.item() == pytest.approx(200 * 0.75 + 200 * 0.25)


def test_focal_loss_refuses_class_weights():
    with pytest.raises(NotImplementedError, match="class weights"):
        sigmoid_focal_loss(
            torch.zeros(1, 2), torch.tensor([1]), 2.0, 0.25, torch.ones(2), "sum"
        )
