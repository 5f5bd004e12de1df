"""A demo-size TMT-VIS on VITA, from scratch, on the miniatures of the demo.

``tools/make_sprite_vis.py`` makes the data, see the demo's config.
"""

_base_ = "./tmt-vis_r18-tiny_1xb4-1400_sprites.py"

work_dir = "work_dirs/demo/vita"
max_iters = 800
width = 64

model = dict(
    type="VideoSegmentor",
    long_videos=None,
    head=dict(
        type="VITAHead",
        video=dict(
            encoder=dict(num_layers=2, window=6, num_heads=4, ffn_channels=256),
            decoder=dict(num_queries=20, num_layers=2, num_heads=4, ffn_channels=256),
        ),
        inject_to="both",
        video_injection=dict(
            layers="first",
            layer=dict(
                type="TaxonomyInjectionLayer",
                num_heads=4,
                ffn_channels=128,
                norm_first=True,
                layer_scale=0.0,
            ),
        ),
    ),
)

clip = dict(num_frames=3)
train_dataloader = dict(
    dataset=dict(datasets=dict(ytvis19=clip, ovis=clip, uvo=clip)),
)
del clip
param_scheduler = [
    _base_.param_scheduler[0],
    dict(_base_.param_scheduler[1], end=max_iters),
]
train_cfg = dict(max_iters=max_iters, val_interval=max_iters + 1)
default_hooks = dict(checkpoint=dict(interval=max_iters))
