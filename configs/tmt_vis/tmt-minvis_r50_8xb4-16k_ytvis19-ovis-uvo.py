"""TMT-VIS on MinVIS R50: YouTube-VIS 2019, OVIS and UVO, 32 single frames per step."""

_base_ = [
    "../_base_/models/tmt-minvis_r50.py",
    "../_base_/datasets/ytvis19_ovis_uvo.py",
    "../_base_/schedules/16k.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(taxonomy=dict(label_spaces=["ytvis19", "ovis", "uvo"])))

frame = dict(num_frames=1)
train_dataloader = dict(
    batch_size=4,
    sampler=dict(batch_size=4),
    dataset=dict(datasets=dict(ytvis19=frame, ovis=frame, uvo=frame)),
)
auto_scale_lr = dict(base_batch_size=32)
del frame
