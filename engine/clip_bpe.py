"""CLIP's byte-pair encoding: a tokenizer from a list of merges, as SD 1.5 and the demo model use it."""

from collections.abc import Iterable
from pathlib import Path

from transformers import CLIPTokenizer

END_OF_WORD = "</w>"
MAX_TOKENS = 77  # positions of CLIP's text encoder, start and end tokens included

Merge = tuple[str, str]


def byte_symbols() -> dict[int, str]:
    """One printable character for each byte, in the order of CLIP's vocabulary (openai/CLIP, bytes_to_unicode)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    symbols = {byte: chr(byte) for byte in printable}
    return symbols | {byte: chr(256 + number) for number, byte in enumerate(others)}


def clip_vocabulary(merges: Iterable[Merge]) -> dict[str, int]:
    """Token to id: 256 bytes, the same at the end of a word, what the merges make, start and end of text."""
    symbols = list(byte_symbols().values())
    tokens = [*symbols, *(symbol + END_OF_WORD for symbol in symbols), *(left + right for left, right in merges)]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}


def read_merges(path: Path) -> list[Merge]:
    """The merges in a merges.txt: two symbols per line, under a line with the version."""
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.split(" ") for line in lines if line and not line.startswith("#version"))
    return [(left, right) for left, right in pairs]


def clip_tokenizer(merges: list[Merge]) -> CLIPTokenizer:
    """A tokenizer from merges. transformers 5 takes no file names: it would silently make a tokenizer of two tokens."""
    return CLIPTokenizer(
        vocab=clip_vocabulary(merges),
        merges=merges,  # type: ignore[arg-type]  # annotated as strings; the tokenizers library takes pairs
        model_max_length=MAX_TOKENS,
    )
