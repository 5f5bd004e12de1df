"""Type aliases and the shape glossary of the whole package.

========  ==========================================================
symbol    meaning
========  ==========================================================
``B``     clips in a batch
``T``     frames in a clip
``C``     channels of the video features (256 in the paper)
``H, W``  height and width, in pixels of the tensor at hand
``Q``     object queries
``N``     object instances of one clip
``K``     categories of the joint (union) taxonomy
``N_T``   compiled taxonomy embeddings, the paper's ``N_T``
``D``     width of the text embeddings
``S``     prediction stages (initial queries and every decoder layer)
``P``     sampled points
========  ==========================================================

Masks are ``True`` on the object. Attention masks are called ``keep`` and are
``True`` where a query may attend (the polarity of
``scaled_dot_product_attention``, the opposite of ``nn.MultiheadAttention``).
"""

from typing import Any, TypeAlias

from torch import Tensor

ConfigType: TypeAlias = dict[str, Any]
Losses: TypeAlias = dict[str, Tensor]
Size: TypeAlias = tuple[int, int]
