"""The demo with another host: TMT-VIS on IDOL, from scratch, on the same data.

Only the head differs from the demo's config, and what is trained is pairs of frames.
"""

_base_ = "./tmt-vis_r18-tiny_1xb4-1400_sprites.py"

work_dir = "work_dirs/demo_idol/train"
demo = _base_.model.head
width = _base_.width
layers = dict(num_heads=4, ffn_channels=128, dropout=0.0)

model = dict(
    type="VideoSegmentor",
    long_videos=None,
    head=dict(
        _delete_=True,
        type="IDOLHead",
        taxonomy=demo.taxonomy,
        text_embeddings=demo.text_embeddings,
        neck=dict(
            type="ChannelMapper",
            in_channels=[64, 128, 256],
            out_channels=width,
            kernel_size=1,
            bias=True,
            norm_cfg=dict(type="GN", num_groups=16),
            act_cfg=None,
            num_outs=4,
        ),
        query_decoder=dict(
            channels=width,
            num_queries=40,
            encoder=dict(layers, num_layers=2),
            decoder=dict(layers, num_layers=3),
        ),
        compilation=demo.compilation,
        injection=dict(
            layers="first",
            layer=dict(
                type="TaxonomyInjectionLayer",
                num_heads=4,
                ffn_channels=128,
                norm_first=True,
                layer_scale=0.0,
            ),
        ),
        test_cfg=dict(max_per_video=dict(ytvis19=10, ovis=20, uvo=20), min_score=0.05),
    ),
)
optim_wrapper = dict(
    paramwise_cfg=dict(_delete_=True, custom_keys={"cls_branches": dict(lr_mult=10.0)})
)

results = "work_dirs/demo_idol/results/"
val_evaluator = dict(
    metrics={
        name: dict(outfile_prefix=results + name)
        for name in _base_.val_evaluator.metrics
    }
)
test_evaluator = val_evaluator
del demo, layers
