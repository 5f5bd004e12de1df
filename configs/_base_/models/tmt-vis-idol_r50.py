"""TMT-VIS on IDOL with ResNet-50.

TCM looks at the encoder's memory of strides 32 and 16. TIM changes the queries in front
of the first decoder layer, through a gate that starts at zero: weights of IDOL predict
the same at first.
"""

_base_ = ["./idol_r50.py", "./taxonomy_modules.py"]

taxonomy = _base_.taxonomy_modules
model = dict(
    head=dict(
        text_embeddings=taxonomy.text_embeddings,
        compilation=taxonomy.compilation,
        injection=dict(
            layers="first",
            layer=dict(type="TaxonomyInjectionLayer", norm_first=True, layer_scale=0.0),
        ),
        label_space_mask=taxonomy.label_space_mask,
        vocab_mode=taxonomy.vocab_mode,
    )
)
del taxonomy
