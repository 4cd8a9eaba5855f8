"""The layers of a Stable Diffusion UNet, read from its config.json without torch: their widths, and what they cost."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

SD15_UNET = Path(__file__).with_name("sd15") / "unet" / "config.json"
TEXT_TOKENS = 77  # CLIP's
LATENT_SCALE = 8  # picture pixels per latent pixel, in each direction


@dataclass(frozen=True)
class Layer:
    """A Linear or Conv2d layer, the kinds that can carry an adapter."""

    name: str
    inputs: int
    outputs: int
    kernel: int  # 1 for a Linear layer
    positions: int  # pixels or tokens that it writes for one sample

    @property
    def weights(self) -> int:
        """Numbers in its matrix, the bias not counted."""
        return self.inputs * self.outputs * self.kernel**2

    @property
    def operations(self) -> int:
        """Floating-point operations for one sample: a multiplication and an addition for each weight and position."""
        return 2 * self.weights * self.positions

    def adapter_parameters(self, rank: int) -> int:
        """Numbers in an adapter: A has the layer's kernel, B is a matrix."""
        return rank * (self.inputs * self.kernel**2 + self.outputs)


@dataclass(frozen=True)
class Attention:
    """One product of queries with keys, and of its scores with the values."""

    layer: str  # the name of the layer that reads what comes out
    heads: int
    tokens: int
    keys: int
    channels: int

    @property
    def operations(self) -> int:
        """Floating-point operations for one sample."""
        return 4 * self.tokens * self.keys * self.channels

    @property
    def is_of_itself(self) -> bool:
        """Whether tokens look at each other, and not at the text."""
        return ".attn1." in self.layer


@dataclass(frozen=True)
class UNetLayers:
    """All that costs anything at one resolution."""

    layers: tuple[Layer, ...]
    attentions: tuple[Attention, ...]

    @property
    def forward_operations(self) -> int:
        """Floating-point operations of one forward pass for one sample."""
        return sum(one.operations for one in self.layers) + sum(one.operations for one in self.attentions)

    @property
    def written(self) -> int:
        """Numbers that the layers write for one sample; what training keeps of a step grows with them."""
        return sum(layer.outputs * layer.positions for layer in self.layers)

    @property
    def scores(self) -> int:
        """Attention scores of one sample, in one head of each layer."""
        return sum(attention.tokens * attention.keys for attention in self.attentions)

    def targets(self, endings: list[str]) -> list[Layer]:
        """The layers whose name ends, at a dot, with one of these; peft chooses in the same way."""
        return [layer for layer in self.layers if any(f".{layer.name}".endswith(f".{end}") for end in endings)]


@cache
def unet_layers(config_file: Path, resolution: int) -> UNetLayers:
    """The layers of the UNet that a diffusers config describes, for square pictures of `resolution` pixels.

    Raises OSError, ValueError, KeyError or TypeError if the file is not such a config.
    """
    unet = _Unet(json.loads(config_file.read_text(encoding="utf-8")), resolution // LATENT_SCALE)
    layers = tuple(unet.layers())
    return UNetLayers(layers, tuple(unet.attentions(layers)))


class _Unet:
    """Follows UNet2DConditionModel's constructor for the block types of Stable Diffusion 1 and 2."""

    def __init__(self, config: dict[str, Any], size: int) -> None:
        self._config = config
        self._widths: list[int] = config["block_out_channels"]
        self._text_width: int = config["cross_attention_dim"]
        self._depth: int = config["layers_per_block"]
        self._pixels = [max(1, size >> level) ** 2 for level in range(len(self._widths))]

    def layers(self) -> Iterator[Layer]:
        first, time = self._widths[0], 4 * self._widths[0]
        yield Layer("conv_in", self._config["in_channels"], first, 3, self._pixels[0])
        yield Layer("time_embedding.linear_1", first, time, 1, 1)
        yield Layer("time_embedding.linear_2", time, time, 1, 1)
        yield from self._down()
        last, pixels = self._widths[-1], self._pixels[-1]
        yield from self._resnet("mid_block.resnets.0", last, last, pixels)
        yield from self._transformer("mid_block.attentions.0", last, pixels)
        yield from self._resnet("mid_block.resnets.1", last, last, pixels)
        yield from self._up()
        yield Layer("conv_out", first, self._config["out_channels"], 3, self._pixels[0])

    def attentions(self, layers: tuple[Layer, ...]) -> Iterator[Attention]:
        """Each to_out.0 reads one product; its keys are the tokens themselves, or those of the text."""
        for layer in layers:
            if layer.name.endswith(".to_out.0"):
                keys = TEXT_TOKENS if ".attn2." in layer.name else layer.positions
                yield Attention(layer.name, self._heads(layer.name), layer.positions, keys, layer.inputs)

    def _heads(self, name: str) -> int:
        """Of the attentions in a block; diffusers has always called their number attention_head_dim."""
        heads = self._config.get("num_attention_heads") or self._config.get("attention_head_dim", 8)
        if isinstance(heads, int):
            return heads
        side, number = name.split(".")[:2]
        levels = {"down_blocks": heads, "up_blocks": heads[::-1]}
        return int(levels[side][int(number)] if side in levels else heads[-1])

    def _down(self) -> Iterator[Layer]:
        before = self._widths[0]
        for level, (kind, width) in enumerate(zip(self._config["down_block_types"], self._widths, strict=True)):
            name, pixels = f"down_blocks.{level}", self._pixels[level]
            for number in range(self._depth):
                yield from self._resnet(f"{name}.resnets.{number}", before, width, pixels)
                if "CrossAttn" in kind:
                    yield from self._transformer(f"{name}.attentions.{number}", width, pixels)
                before = width
            if level < len(self._widths) - 1:
                yield Layer(f"{name}.downsamplers.0.conv", width, width, 3, self._pixels[level + 1])

    def _up(self) -> Iterator[Layer]:
        """Every residual block reads what the block before wrote, and beside it what the way down kept."""
        widths, pixels = self._widths[::-1], self._pixels[::-1]
        before = widths[0]
        for block, (kind, width) in enumerate(zip(self._config["up_block_types"], widths, strict=True)):
            name, narrower = f"up_blocks.{block}", widths[min(block + 1, len(widths) - 1)]
            for number in range(self._depth + 1):
                kept = narrower if number == self._depth else width
                yield from self._resnet(f"{name}.resnets.{number}", before + kept, width, pixels[block])
                if "CrossAttn" in kind:
                    yield from self._transformer(f"{name}.attentions.{number}", width, pixels[block])
                before = width
            if block < len(widths) - 1:
                yield Layer(f"{name}.upsamplers.0.conv", width, width, 3, pixels[block + 1])

    def _resnet(self, name: str, inputs: int, width: int, pixels: int) -> Iterator[Layer]:
        yield Layer(f"{name}.conv1", inputs, width, 3, pixels)
        yield Layer(f"{name}.time_emb_proj", 4 * self._widths[0], width, 1, 1)
        yield Layer(f"{name}.conv2", width, width, 3, pixels)
        if inputs != width:
            yield Layer(f"{name}.conv_shortcut", inputs, width, 1, pixels)

    def _transformer(self, name: str, width: int, pixels: int) -> Iterator[Layer]:
        yield Layer(f"{name}.proj_in", width, width, 1, pixels)
        block = f"{name}.transformer_blocks.0"
        for attention, source, tokens in (("attn1", width, pixels), ("attn2", self._text_width, TEXT_TOKENS)):
            yield Layer(f"{block}.{attention}.to_q", width, width, 1, pixels)
            yield Layer(f"{block}.{attention}.to_k", source, width, 1, tokens)
            yield Layer(f"{block}.{attention}.to_v", source, width, 1, tokens)
            yield Layer(f"{block}.{attention}.to_out.0", width, width, 1, pixels)
        yield Layer(f"{block}.ff.net.0.proj", width, 8 * width, 1, pixels)  # half of it gates the other half
        yield Layer(f"{block}.ff.net.2", 4 * width, width, 1, pixels)
        yield Layer(f"{name}.proj_out", width, width, 1, pixels)
