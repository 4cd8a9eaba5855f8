"""Find a base model on this disk and tell, without torch, whether it is whole and of SD 1.5's kind."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import try_to_load_from_cache

from engine.contract.errors import ModelError

MOVED = {"runwayml/stable-diffusion-v1-5": "stable-diffusion-v1-5/stable-diffusion-v1-5"}
SD15_CONFIGS = Path(__file__).with_name("sd15")  # single files carry weights alone; these are their configs
WEIGHTS = {"unet": "diffusion_pytorch_model", "vae": "diffusion_pytorch_model", "text_encoder": "model"}
DOWNLOADED = ("*.json", "*.txt", *(f"{part}/{stem}.safetensors" for part, stem in WEIGHTS.items()))
REPOSITORY = re.compile(r"^[A-Za-z0-9][\w.-]*/[\w.-]+$")
USUAL = "Use Stable Diffusion 1.5 or a model made from it."


@dataclass(frozen=True)
class ModelSource:
    """Where a base model lies: a diffusers folder or a single .safetensors file."""

    name: str
    path: Path
    notices: tuple[str, ...] = ()


def find_base_model(name: str) -> ModelSource:
    """The source behind a path or a hub id. Raises ModelError if it is missing, incomplete or of another kind."""
    local = Path(name).expanduser()
    if local.is_file():
        check_single_file(local, SD15_CONFIGS)
        return ModelSource(name, local)
    if local.is_dir():
        check_folder(local)
        return ModelSource(name, local)
    if not REPOSITORY.match(name) or local.suffix in {".safetensors", ".ckpt"}:
        raise ModelError(
            f"There is no base model at {name}", "The path does not exist.", "Check it, or give a hub id: owner/name."
        )
    repository = MOVED.get(name, name)
    notices = (f"{name} was deleted from the hub; its mirror {repository} is used",) if name in MOVED else ()
    index = try_to_load_from_cache(repository, "model_index.json")
    if not isinstance(index, str):
        raise ModelError(
            f"The base model {name} is not on this computer",
            "It is neither a folder or file here nor in the cache of the hub.",
            download_command(repository),
        )
    check_folder(Path(index).parent, repository)
    return ModelSource(name, Path(index).parent, notices)


def find_preview_decoder(name: str, base: ModelSource) -> Path:
    """The folder of the AutoencoderTiny that preview_decoder names, by path or hub id.

    Raises ModelError if it is missing, of another kind, or not for the latents of the base model.
    """
    what, folder = f"preview_decoder {name} cannot be used", Path(name).expanduser()
    usual = "Set preview_decoder to a folder of diffusers' AutoencoderTiny, to madebyollin/taesd, or to none."
    if not folder.is_dir():
        if not REPOSITORY.match(name):
            raise ModelError(what, "There is no such folder.", usual)
        cached = try_to_load_from_cache(name, "config.json")
        if not isinstance(cached, str):
            fetch = ["hf", "download", name, "config.json", f"{WEIGHTS['vae']}.safetensors"]
            why = "It is neither a folder here nor in the cache of the hub."
            raise ModelError(what, why, shlex.join(fetch))
        folder = Path(cached).parent
    if not (folder / "config.json").is_file():
        raise ModelError(what, f"{folder} holds no config.json.", usual)
    config = _read_json(folder / "config.json", usual)
    if (kind := config.get("_class_name")) != "AutoencoderTiny":
        raise ModelError(what, f"Its config.json is of {kind or 'no model'}, not of AutoencoderTiny.", usual)
    if not (folder / f"{WEIGHTS['vae']}.safetensors").is_file():
        raise ModelError(what, f"{folder} holds no {WEIGHTS['vae']}.safetensors; other formats are not read.", usual)
    vae = (SD15_CONFIGS if base.path.is_file() else base.path) / "vae" / "config.json"
    channels, wanted = config.get("latent_channels", 4), _read_json(vae, "").get("latent_channels", 4)
    if channels != wanted:
        raise ModelError(
            what, f"It decodes latents of {channels} channels; those of the base model have {wanted}.", usual
        )
    return folder


def download_command(repository: str) -> str:
    """The shell command that fetches what is needed of a hub repository, and no more: configs and fp32 weights."""
    patterns = [word for pattern in DOWNLOADED for word in ("--include", pattern)]
    return shlex.join(["hf", "download", repository, *patterns])


def weights_variant(folder: Path, part: str) -> str | None:
    """None if a part has weights under the plain name, "fp16" if only so. Raises ModelError if it has none."""
    for variant in (None, "fp16"):
        stem = f"{WEIGHTS[part]}.{variant}" if variant else WEIGHTS[part]
        index = f"{WEIGHTS[part]}.safetensors.index{f'.{variant}' if variant else ''}.json"
        if (folder / part / f"{stem}.safetensors").is_file() or (folder / part / index).is_file():
            return variant
    raise ModelError(
        f"The base model {folder} has no {part} weights",
        f"There is no {WEIGHTS[part]}.safetensors in its folder {part}; other formats are not read.",
        "Fetch the missing file.",
    )


def check_folder(folder: Path, repository: str | None = None) -> None:
    """Raise ModelError if a diffusers folder lacks a part or holds a model of another kind than SD 1.5's."""
    remedy = download_command(repository) if repository else "Fetch or save the model again, in diffusers' layout."
    index = _read_json(folder / "model_index.json", remedy)
    kind = str(index.get("_class_name"))
    if "XL" in kind or {"text_encoder_2", "transformer", "prior"} & index.keys():
        raise _wrong_kind(str(folder), f"It is for {kind}.")
    for part in WEIGHTS:
        try:
            weights_variant(folder, part)
        except ModelError as error:
            raise ModelError(error.what, error.why, remedy) from None
    tokenizer = folder / "tokenizer"
    if not (tokenizer / "tokenizer.json").is_file() and not all(
        (tokenizer / name).is_file() for name in ("vocab.json", "merges.txt")
    ):
        raise ModelError(f"The base model {folder} has no tokenizer", "vocab.json or merges.txt is missing.", remedy)
    _read_json(folder / "scheduler" / "scheduler_config.json", remedy)
    unet, vae, text = (_read_json(folder / part / "config.json", remedy) for part in WEIGHTS)
    text = text.get("text_config", text)
    width, hidden = unet.get("cross_attention_dim", 1280), text.get("hidden_size", 512)  # the classes' own defaults
    if width != hidden:
        raise _wrong_kind(str(folder), f"The UNet reads text of width {width}, its text encoder writes {hidden}.")
    if unet.get("in_channels", 4) != vae.get("latent_channels", 4):
        raise _wrong_kind(
            str(folder),
            f"The UNet takes {unet['in_channels']} channels where the VAE gives {vae.get('latent_channels', 4)}; "
            "inpainting models are like that.",
        )


def check_single_file(file: Path, configs: Path) -> None:
    """Raise ModelError if a single file is not what `configs` describe, by the names and shapes in its header."""
    shapes = {name: entry["shape"] for name, entry in _read_header(file).items()}
    unet = _read_json(configs / "unet" / "config.json", "")
    first = shapes.get("model.diffusion_model.input_blocks.0.0.weight")
    if first is None:
        raise _wrong_kind(str(file), "It holds no UNet in the layout of Stable Diffusion's single files.")
    if any(name.startswith("conditioner.") for name in shapes):
        raise _wrong_kind(str(file), "It is a Stable Diffusion XL model.")
    widths = {shape[1] for name, shape in shapes.items() if name.endswith(".attn2.to_k.weight")}
    if widths != {unet["cross_attention_dim"]}:
        raise _wrong_kind(
            str(file), f"Its UNet reads text of width {sorted(widths)}, not {unet['cross_attention_dim']}."
        )
    if first[1] != unet["in_channels"]:
        raise _wrong_kind(str(file), f"Its UNet takes {first[1]} channels, not 4; inpainting models are like that.")
    for part, prefix in (("text encoder", "cond_stage_model.transformer.text_model."), ("VAE", "first_stage_model.")):
        if not any(name.startswith(prefix) for name in shapes):
            raise ModelError(
                f"The base model {file} has no {part}", f"No tensor begins with {prefix}", "Use the full checkpoint."
            )


def _wrong_kind(name: str, why: str) -> ModelError:
    return ModelError(f"{name} is not a Stable Diffusion 1.5 style model", why, USUAL)


def _read_json(path: Path, remedy: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"The base model has no {path.name}", f"{path} is missing.", remedy) from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read", str(error), remedy) from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} cannot be read", "It holds no JSON object.", remedy)
    return content


def _read_header(file: Path) -> dict[str, Any]:
    """Names, shapes and offsets in a safetensors file: eight bytes of length, then JSON, then the data."""
    if file.suffix != ".safetensors":
        raise ModelError(
            f"{file} is not a .safetensors file", "Other formats can run code when they are read.", "Convert it."
        )
    try:
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > file.stat().st_size:
                raise ValueError("longer than the file")
            header: dict[str, Any] = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        end = 8 + length + max(entry["data_offsets"][1] for entry in header.values())
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        raise ModelError(f"{file} is damaged", "Its header cannot be read.", "Fetch it again.") from error
    if end != (size := file.stat().st_size):
        raise ModelError(f"{file} is damaged", f"It has {size:,} bytes, not {end:,}.", "Fetch it again.")
    return header
