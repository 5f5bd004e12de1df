"""16k iterations of 16 clips: our suggestion for three datasets (A18, unverified).

The paper gives no schedule. Mask2Former-VIS trains 6k iterations on YouTube-VIS 2019.
"""

max_iters = 16000

optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(
        type="AdamW", lr=1e-4, weight_decay=0.05, eps=1e-8, betas=(0.9, 0.999)
    ),
    paramwise_cfg=dict(
        # The longest key that occurs in a parameter's name wins, and norm_decay_mult
        # then no longer applies: the norms of a Swin backbone need keys of their own,
        # longer than "backbone". ResNet's norms are frozen.
        custom_keys={
            "backbone": dict(lr_mult=0.1, decay_mult=1.0),
            "backbone.norm": dict(lr_mult=0.1, decay_mult=0.0),
            "patch_embed.norm": dict(lr_mult=0.1, decay_mult=0.0),
            "downsample.norm": dict(lr_mult=0.1, decay_mult=0.0),
            ".norm1.weight": dict(lr_mult=0.1, decay_mult=0.0),
            ".norm1.bias": dict(lr_mult=0.1, decay_mult=0.0),
            ".norm2.weight": dict(lr_mult=0.1, decay_mult=0.0),
            ".norm2.bias": dict(lr_mult=0.1, decay_mult=0.0),
            "relative_position_bias_table": dict(lr_mult=0.1, decay_mult=0.0),
            # Embeddings of the head. The pixel decoder's level_encoding is decayed,
            # as in the reference, where it is a bare parameter.
            "query_embed": dict(decay_mult=0.0),
            "frame_query_pos": dict(decay_mult=0.0),
            "query_feat": dict(decay_mult=0.0),
            "level_embed": dict(decay_mult=0.0),
            "rank_pos": dict(decay_mult=0.0),
            "textless": dict(decay_mult=0.0),
        },
        norm_decay_mult=0.0,
    ),
    clip_grad=dict(max_norm=0.01, norm_type=2),
    accumulative_counts=1,  # iterations per step; all numbers below count iterations
)
param_scheduler = [
    dict(
        type="MultiStepLR",
        begin=0,
        end=max_iters,
        by_epoch=False,
        milestones=[10700],
        gamma=0.1,
    )
]
train_cfg = dict(
    type="ResumableIterBasedTrainLoop", max_iters=max_iters, val_interval=4000
)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")

# 8 GPUs x 2 clips.
auto_scale_lr = dict(enable=False, base_batch_size=16)
