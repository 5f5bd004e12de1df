"""What TMT-VIS adds to IDOL: TCM and TIM, and no loss L_taxo.

TCM looks at the encoder's memory of strides 32 and 16. TIM changes the queries in front
of the first decoder layer, through a gate that starts at zero: weights of IDOL predict
the same at first.
"""

_base_ = "./taxonomy_modules.py"

taxonomy_modules = dict(
    _delete_=True,
    text_embeddings=_base_.taxonomy_modules.text_embeddings,
    compilation=_base_.taxonomy_modules.compilation,
    injection=dict(
        layers="first",
        layer=dict(type="TaxonomyInjectionLayer", norm_first=True, layer_scale=0.0),
    ),
    label_space_mask=_base_.taxonomy_modules.label_space_mask,
    vocab_mode=_base_.taxonomy_modules.vocab_mode,
)
