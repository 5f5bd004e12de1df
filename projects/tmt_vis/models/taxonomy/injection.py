"""Taxonomy Injection Module: from E_T into the queries (Sec. 3.3, Table 7)."""

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn

from ..layers import CrossAttentionBlock, xavier_init
from .compilation import CompiledTaxonomy


@MODELS.register_module()
class TaxonomyInjectionLayer(nn.Module):
    """Queries attend to the compiled taxonomy (Eq. 6; "cross-attention" of Table 7).

    A query of one clip sees the taxonomy of its own clip only.

    Args:
        channels: width.
        num_heads: attention heads.
        ffn_channels: hidden width of the FFN.
        layer_scale: initial factor of the residual branches; None = no factor.
        norm_first: LayerNorm in front of the branches instead of behind them.
    """

    every_layer = True
    keeps_query_count = True

    def __init__(
        self,
        *,
        channels: int,
        num_taxonomy: int,
        num_heads: int = 8,
        ffn_channels: int = 2048,
        layer_scale: float | None = None,
        norm_first: bool = False,
    ) -> None:
        super().__init__()
        self.block = CrossAttentionBlock(
            channels=channels,
            num_heads=num_heads,
            ffn_channels=ffn_channels,
            layer_scale=layer_scale,
            norm_first=norm_first,
        )
        for part in (self.block.cross_attn, self.block.ffn):
            xavier_init(part)

    def forward(
        self, queries: Tensor, query_pos: Tensor, compiled: CompiledTaxonomy
    ) -> tuple[Tensor, Tensor]:
        """Inject.

        Args:
            queries: ``(B, Q, C)``.
            query_pos: ``(B, Q, C)``.
            compiled: the taxonomy of each clip.

        Returns:
            Queries and their positions.
        """
        injected = self.block(
            queries,
            compiled.embeddings,
            compiled.embeddings,
            query_pos=query_pos,
            keep=compiled.keep.unsqueeze(1),
        )
        return injected, query_pos


@MODELS.register_module()
class TaxonomyAdditionLayer(nn.Module):
    """Add E_T to the queries, one embedding after the other ("add" of Table 7).

    Query ``q`` receives embedding ``q mod N_eff``, where ``N_eff`` counts the
    embeddings of the clip without padding.
    """

    every_layer = False
    keeps_query_count = True

    def __init__(self, *, channels: int, num_taxonomy: int) -> None:
        super().__init__()

    def forward(
        self, queries: Tensor, query_pos: Tensor, compiled: CompiledTaxonomy
    ) -> tuple[Tensor, Tensor]:
        """Inject; arguments as in :class:`TaxonomyInjectionLayer`."""
        order = torch.arange(queries.shape[1], device=queries.device)
        # Kept embeddings come first, so a remainder never reaches the padding.
        rows = order % compiled.keep.sum(1, keepdim=True)  # (B, Q)
        rows = rows.unsqueeze(-1).expand(-1, -1, queries.shape[-1])
        return queries + compiled.embeddings.gather(1, rows), query_pos


@MODELS.register_module()
class TaxonomyConcatenationLayer(nn.Module):
    """Append E_T as further queries that predict as well ("concat" of Table 7).

    Padding becomes a query without content, which the matcher treats like any other.

    Args:
        channels: width.
        num_taxonomy: ``N_T``; every rank owns a learned position.
    """

    every_layer = False
    keeps_query_count = False

    def __init__(self, *, channels: int, num_taxonomy: int) -> None:
        super().__init__()
        self.rank_pos = nn.Embedding(num_taxonomy, channels)

    def forward(
        self, queries: Tensor, query_pos: Tensor, compiled: CompiledTaxonomy
    ) -> tuple[Tensor, Tensor]:
        """Inject; ``N_T`` queries are appended to the ``Q``."""
        content = compiled.embeddings * compiled.keep.unsqueeze(-1)
        batch, count = content.shape[:2]
        pos = self.rank_pos.weight[:count].expand(batch, -1, -1)
        return torch.cat([queries, content], 1), torch.cat([query_pos, pos], 1)


@MODELS.register_module()
class TaxonomyInjectionModule(nn.Module):
    """Place injection layers in front of decoder layers (resolution A9).

    Args:
        num_decoder_layers: layers of the host decoder.
        channels: width.
        num_taxonomy: ``N_T``.
        layers: ``all`` (the index l of Eqs. 6-7) or ``first`` (the abstract, Fig. 1,
            and the released code).
        layer: config of the injection layer.

    Raises:
        ValueError: if ``layers`` is neither, or the layer cannot be repeated.
    """

    def __init__(
        self,
        *,
        num_decoder_layers: int,
        channels: int,
        num_taxonomy: int,
        layers: str = "all",
        layer: dict | None = None,
    ) -> None:
        super().__init__()
        if layers not in ("all", "first"):
            raise ValueError(f"layers must be 'all' or 'first', got {layers!r}")
        count = num_decoder_layers if layers == "all" else 1
        cfg = dict(layer or dict(type="TaxonomyInjectionLayer"))
        cfg.update(channels=channels, num_taxonomy=num_taxonomy)
        self.layers = nn.ModuleList(MODELS.build(cfg) for _ in range(count))
        if count > 1 and not self.layers[0].every_layer:
            raise ValueError(
                f"{cfg['type']} is applied once, in front of the first layer; set "
                "injection.layers='first'"
            )

    @property
    def keeps_query_count(self) -> bool:
        """False if the injection appends queries."""
        return self.layers[0].keeps_query_count

    @property
    def injected_layers(self) -> tuple[int, ...]:
        """Decoder layers that receive an injection."""
        return tuple(range(len(self.layers)))

    def forward(
        self,
        index: int,
        queries: Tensor,
        query_pos: Tensor,
        compiled: CompiledTaxonomy,
    ) -> tuple[Tensor, Tensor]:
        """Inject in front of decoder layer ``index``, if it has an injection."""
        if index >= len(self.layers):
            return queries, query_pos
        return self.layers[index](queries, query_pos, compiled)
