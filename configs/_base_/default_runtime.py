"""What every run needs, whatever it trains."""

default_scope = "mmdet"
# A child config that sets its own custom_imports replaces this list: repeat "tmt_vis".
custom_imports = dict(imports=["tmt_vis"], allow_failed_imports=False)

# Loaders without workers, learning rates for accumulated steps, ranks that end with
# their launcher.
runner_type = "VideoRunner"

default_hooks = dict(
    timer=dict(type="IterTimerHook"),
    logger=dict(type="LoggerHook", interval=50),
    param_scheduler=dict(type="ParamSchedulerHook"),
    checkpoint=dict(
        type="AtomicCheckpointHook",
        by_epoch=False,
        interval=2000,
        max_keep_ckpts=2,
        save_last=True,
    ),
    sampler_seed=dict(type="DistSamplerSeedHook"),
    # draw=True writes videos of each validation; --show-dir of the test tools does too.
    visualization=dict(type="ClipVisualizationHook", draw=False),
)
custom_hooks = [
    dict(type="PlainCheckpointHook"),
    dict(type="DeterministicRNGHook"),
    dict(type="NonFiniteLossHook"),
]

env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method="fork", opencv_num_threads=0),
    dist_cfg=dict(backend="nccl"),
)
log_processor = dict(type="LogProcessor", window_size=50, by_epoch=False)
vis_backends = [dict(type="LocalVisBackend")]
visualizer = dict(type="Visualizer", vis_backends=vis_backends)

log_level = "INFO"
resume = False
