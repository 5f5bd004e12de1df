"""What TMT-VIS adds to a host, preset ``paper``: TCM, TIM and L_taxo.

A leaf puts them into its host with ``head=dict(**_base_.taxonomy_modules, ...)``; to
change them, change ``model.head``. The resolutions A1-A23 of what the paper leaves open
are in docs/paper_to_code.md.
"""

taxonomy_modules = dict(
    text_embeddings=dict(
        encoder=dict(type="OpenCLIPTextEncoder", model="RN50", pretrained="openai"),
        template="a photo of a {}.",
    ),
    compilation=dict(
        type="TaxonomyCompilationModule",
        num_taxonomy=10,
        adapter_dim=256,
        num_layers=2,
        features="memory_rr",
        score_supervision="bce",
    ),
    injection=dict(layers="all", layer=dict(type="TaxonomyInjectionLayer")),
    criterion=dict(
        taxonomy_loss=dict(
            enabled=True, target="replace_aux0", layers="first", assign="own"
        )
    ),
    label_space_mask=True,
    vocab_mode=dict(train="dataset", test="dataset"),
)
