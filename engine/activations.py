"""What a training step keeps of its forward pass for the way back, followed layer by layer through the UNet.

Held against the storages of real steps on meta tensors by tests/engine/test_memory_of_a_step.py.
"""

from dataclasses import dataclass
from itertools import dropwhile, groupby

from engine.contract.config import CheckpointingMode
from engine.unet_layers import Attention, Layer, UNetLayers

LONG_SEQUENCE = 1024  # tokens; the scores of shorter ones, tokens squared in size, are small beside the rest
SCORES_AT_ONCE = 256 * 2**20  # bytes; enough work for any GPU, and an eighth of what two samples of 512 px would need
FP32 = 4  # bytes of a number
CONVOLUTIONS = {"conv", "conv1", "conv2", "conv_shortcut", "conv_out", "proj_in", "proj_out"}


def heads_at_once(tokens: int) -> int:
    """How many heads of a sample may have their scores in memory together, where scores are computed twice."""
    return max(1, SCORES_AT_ONCE // (FP32 * tokens**2))


@dataclass(frozen=True)
class MicroBatch:
    """How a micro-batch is computed, as far as memory depends on it."""

    samples: int
    mode: CheckpointingMode
    number: int  # bytes of a number: 4, or 2 under autocast, which leaves norms and kept scores in fp32
    keeps_scores: bool  # whether the device has no fused attention, and so fills memory with the scores
    targets: frozenset[str]  # names of the layers with an adapter
    rank: int


def activation_bytes(unet: UNetLayers, batch: MicroBatch) -> int:
    """The most bytes that a step holds beside the weights, the adapter's gradients and the optimizer.

    On the way back a layer finds what it and all layers before it have kept, and takes room to work. Nothing is kept
    before the first adapter, where the way back ends.
    """
    attentions = {attention.layer: attention for attention in unet.attentions}
    layers = dropwhile(lambda layer: layer.name not in batch.targets, unet.layers)
    held = highest = 0
    for block, group in groupby(layers, key=_block):
        members = list(group)
        kept = most = 0
        for layer in members:
            attention = attentions.get(layer.name)
            kept += batch.samples * _kept(layer, attention, batch)
            most = max(most, kept + _taken(layer, attention, batch))
        if batch.mode == "full" and block:  # only what enters is kept, and the rest computed again
            held += batch.samples * batch.number * members[0].inputs * members[0].positions
            highest = max(highest, held + most)
        else:
            highest = max(highest, held + most)
            held += kept
    return highest


def _block(layer: Layer) -> str:
    """The block that diffusers can compute again as a whole; empty for a layer outside of any."""
    parts = layer.name.split(".")
    kind = next((kind for kind in ("resnets", "transformer_blocks") if kind in parts), "")
    return ".".join(parts[: parts.index(kind) + 2]) if kind else ""


def _kept(layer: Layer, attention: Attention | None, batch: MicroBatch) -> int:
    """Bytes for one sample around a layer: what it, its adapter, and the norms and products before it need again."""
    kind = layer.name.rpartition(".")[2]
    wide, narrow = FP32 * layer.positions, batch.number * layer.positions
    size = narrow * layer.inputs * _inputs_kept(layer, kind, attention, batch)
    if kind in {"conv1", "conv_out"}:
        size += 2 * wide * layer.inputs  # GroupNorm, SiLU
    elif kind == "conv2":
        size += 2 * wide * layer.outputs  # GroupNorm, SiLU
    elif kind in {"proj_in", "to_q"}:
        size += wide * layer.inputs  # GroupNorm, LayerNorm
    elif layer.name.endswith(".ff.net.0.proj"):
        size += wide * layer.inputs + narrow * layer.outputs * 3 // 2  # LayerNorm; GEGLU: both halves, and the gate
    if kind in {"to_q", "to_k", "to_v"}:
        size += narrow * layer.outputs
    if attention:
        size += _kept_of_product(attention, batch)
    if layer.name in batch.targets:
        size += narrow * batch.rank
    return size


def _inputs_kept(layer: Layer, kind: str, attention: Attention | None, batch: MicroBatch) -> int:
    """How often a layer's input is kept: by a convolution, even by a frozen one, and by an adapter.

    Under autocast each has a copy of its own; else they share one, with each other and with what is counted elsewhere.
    """
    by = (kind in CONVOLUTIONS, layer.name in batch.targets)
    if batch.number < FP32:
        return sum(by)
    if kind in {"conv_shortcut", "to_k", "to_v"} or (attention and not batch.keeps_scores):
        return 0
    return int(any(by))


def _kept_of_product(attention: Attention, batch: MicroBatch) -> int:
    if not batch.keeps_scores:
        return attention.tokens * (batch.number * attention.channels + FP32 * attention.heads)  # output, sums of scores
    if _is_recomputed(attention, batch):
        return 0
    upcast = (FP32 - batch.number) * attention.channels * (attention.tokens + 2 * attention.keys)
    return FP32 * attention.heads * attention.tokens * attention.keys + upcast


def _is_recomputed(attention: Attention, batch: MicroBatch) -> bool:
    return batch.mode != "none" and attention.is_of_itself and attention.tokens >= LONG_SEQUENCE


def _taken(layer: Layer, attention: Attention | None, batch: MicroBatch) -> int:
    """Bytes that a layer's backward pass needs for a moment."""
    numbers = 2 * max(layer.inputs, layer.outputs)
    if layer.name.endswith(".ff.net.2"):
        numbers = 3 * layer.inputs  # gradients of GEGLU's product, gate and other half
    size = batch.samples * batch.number * numbers * layer.positions
    if attention and batch.keeps_scores:
        scores = FP32 * attention.tokens * attention.keys  # of one head
        if _is_recomputed(attention, batch):
            return size + 3 * scores * min(attention.heads, heads_at_once(attention.tokens))
        return size + 2 * scores * attention.heads * batch.samples
    return size


def inference_bytes(unet: UNetLayers, number: int, keeps_scores: bool) -> int:
    """The most bytes that a forward pass without a way back holds for one sample; `number` is bytes of a number.

    Where layers write most, a transformer's feed-forward layer is there with its gate, the gate's product and what the
    way down has left: 3.5 times its output. Scores are there twice, before and after the softmax.
    """
    widest = number * max(layer.outputs * layer.positions for layer in unet.layers)
    if not keeps_scores:
        return widest * 7 // 2
    scores = 2 * FP32 * max(one.heads * one.tokens * one.keys for one in unet.attentions)
    return max(widest * 7 // 2, scores + widest * 3 // 2)
