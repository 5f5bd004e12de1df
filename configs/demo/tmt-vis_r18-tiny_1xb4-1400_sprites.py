"""The demo: TMT-VIS of 3.4M parameters, from scratch, on three miniature datasets.

Minutes on two CPU cores (README). Data: tools/make_sprite_vis.py, written to
``data_root`` in the folder layouts and with the categories of the real datasets.
"""

_base_ = [
    "../_base_/backbones/r50.py",
    "../_base_/hosts/mask2former-vis.py",
    "../_base_/taxonomy_modules.py",
    "../_base_/datasets/ytvis19_ovis_uvo.py",
    "../_base_/schedules/16k.py",
    "../_base_/default_runtime.py",
]

data_root = "work_dirs/demo/data/"
folders = dict(ytvis19="ytvis_2019/", ovis="ovis/", uvo="uvo/")
work_dir = "work_dirs/demo/train"
randomness = dict(seed=0)
max_iters = 1400
warmup = 50
batch_size = 4
width = 64
taxonomy = _base_.taxonomy_modules

model = dict(
    backbone=dict(
        _base_.backbone,
        depth=18,
        base_channels=32,
        stem_channels=32,
        # From scratch: batch norm learns, in contrast to the frozen one of R50.
        norm_cfg=dict(type="BN", requires_grad=True),
        norm_eval=False,
    ),
    head=dict(
        taxonomy,
        num_queries=20,
        taxonomy=dict(label_spaces=["ytvis19", "ovis", "uvo"]),
        pixel_decoder=dict(
            in_channels=[32, 64, 128, 256],
            feat_channels=width,
            out_channels=width,
            norm_cfg=dict(num_groups=16),
            encoder=dict(
                num_layers=2,
                layer_cfg=dict(
                    self_attn_cfg=dict(embed_dims=width, num_heads=4),
                    ffn_cfg=dict(embed_dims=width, feedforward_channels=128),
                ),
            ),
            positional_encoding=dict(num_feats=width // 2),
        ),
        decoder=dict(num_layers=3, channels=width, num_heads=4, ffn_channels=256),
        text_embeddings=dict(
            taxonomy.text_embeddings,
            encoder=dict(type="SentenceTransformerTextEncoder"),
        ),
        compilation=dict(
            taxonomy.compilation, adapter_dim=64, num_heads=4, ffn_channels=128
        ),
        injection=dict(
            taxonomy.injection,
            layer=dict(taxonomy.injection.layer, num_heads=4, ffn_channels=128),
        ),
        criterion=dict(taxonomy.criterion, points=dict(num_points=1024)),
        test_cfg=dict(max_per_video=dict(ytvis19=10, ovis=20, uvo=20)),
    ),
)
del taxonomy

train_pipeline = [
    dict(type="LoadClipFrames"),
    dict(type="LoadClipAnnotations"),
    dict(type="ClipBroadcaster", transforms=[dict(type="RandomFlip", prob=0.5)]),
    dict(type="PackClipInputs"),
]
test_pipeline = [dict(type="LoadClipFrames"), dict(type="PackClipInputs")]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=1,
    sampler=dict(batch_size=batch_size),
    dataset=dict(
        datasets={
            name: dict(data_root=data_root + folder, pipeline=train_pipeline)
            for name, folder in folders.items()
        }
    ),
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        datasets={
            name: dict(data_root=data_root + folder, pipeline=test_pipeline)
            for name, folder in folders.items()
        }
    ),
)
test_dataloader = val_dataloader
results = "work_dirs/demo/results/"
val_evaluator = dict(
    metrics={
        name: dict(
            ann_file=data_root + folder + _base_.val_sets[name].ann_file,
            outfile_prefix=results + name,
        )
        for name, folder in folders.items()
    }
)
test_evaluator = val_evaluator

optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    # 0.01 is for COCO-initialised weights; from scratch it stops learning.
    clip_grad=dict(max_norm=1.0),
    paramwise_cfg=dict(
        custom_keys={
            "backbone": dict(lr_mult=1.0),
            # What so short a training learns worst: mean AP was 41.0 with ten times the
            # rate of the others, 38.0 without (one seed).
            "cls_embed": dict(lr_mult=10.0),
        }
    ),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=warmup),
    dict(
        type="CosineAnnealingLR",
        eta_min=1e-6,
        by_epoch=False,
        begin=warmup,
        end=max_iters,
    ),
]
# `mim test` evaluates; the demo does not pay for it twice.
train_cfg = dict(max_iters=max_iters, val_interval=max_iters + 1)
default_hooks = dict(
    logger=dict(interval=20), checkpoint=dict(interval=max_iters, max_keep_ckpts=1)
)
load_from = None
