"""What is computed twice to save memory: nothing, only long attention products, or whole blocks."""

from typing import Any

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch.utils.checkpoint import checkpoint

from engine.activations import LONG_SEQUENCE, heads_at_once
from engine.contract.config import CheckpointingMode


def set_gradient_checkpointing(unet: UNet2DConditionModel, mode: CheckpointingMode) -> None:
    """Put the UNet into a mode, undoing any other. The numbers stay the same; only memory and time change.

    diffusers' own slicing of attention is never used: it gives black pictures on mps (diffusers #11229, #14438).
    """
    unet.set_attn_processor(AttnProcessor2_0() if mode == "none" else RecomputedAttention())
    if mode == "full":
        unet.enable_gradient_checkpointing()
    else:
        unet.disable_gradient_checkpointing()


class RecomputedAttention(AttnProcessor2_0):  # type: ignore[misc]  # diffusers ships no types
    """Self-attention that keeps queries, keys and values for the backward pass, but not the scores.

    Backends without a fused kernel materialise the scores in fp32: batch x heads x tokens x tokens, 1 GiB per call of
    SD 1.5 at 512 px and batch 2, and two more like it in the backward pass. Here only those of a few heads are there at
    a time. Everything but long self-attention in training goes the default way.
    """

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        temb: torch.Tensor | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> torch.Tensor:
        """Attention over hidden_states (batch, tokens, channels); returns the same shape."""
        if (
            not torch.is_grad_enabled()
            or encoder_hidden_states is not None
            or attention_mask is not None
            or not _is_plain(attn)
            or hidden_states.ndim != 3
            or hidden_states.shape[1] < LONG_SEQUENCE
        ):
            output: torch.Tensor = super().__call__(
                attn, hidden_states, encoder_hidden_states, attention_mask, temb, *args, **kwargs
            )
            return output
        projections = (attn.to_q, attn.to_k, attn.to_v)
        query, key, value = (
            projection(hidden_states).unflatten(2, (attn.heads, -1)).transpose(1, 2) for projection in projections
        )
        samples = zip(*(torch.split(part, 1) for part in (query, key, value)), strict=True)
        product = torch.cat([recomputed_product(*sample) for sample in samples])
        to_out, dropout = attn.to_out
        result: torch.Tensor = dropout(to_out(product.transpose(1, 2).flatten(2)))
        return result


def recomputed_product(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Attention of one sample, (1, heads, tokens, width), which keeps no scores for the backward pass."""
    heads = heads_at_once(query.shape[2])
    groups = zip(*(torch.split(part, heads, dim=1) for part in (query, key, value)), strict=True)
    return torch.cat(
        [
            checkpoint(F.scaled_dot_product_attention, *group, use_reentrant=False, preserve_rng_state=False)
            for group in groups
        ],
        dim=1,
    )


def _is_plain(attn: Attention) -> bool:
    """Whether this is the attention of a transformer block as SD 1.5 has it, without norms or residual of its own."""
    return (
        attn.spatial_norm is None
        and attn.group_norm is None
        and attn.norm_q is None
        and attn.norm_k is None
        and not attn.residual_connection
        and attn.rescale_output_factor == 1
    )
