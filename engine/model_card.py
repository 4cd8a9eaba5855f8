"""The README.md beside an exported adapter: how it was trained and how to use it."""

from pathlib import PurePath

from engine.contract.config import TrainingConfig

SHOWN_SETTINGS = (
    "train_batch_size", "gradient_accumulation_steps", "max_train_steps", "learning_rate", "lr_scheduler",
    "lr_warmup_steps", "resolution", "random_flip", "caption_dropout", "snr_gamma", "noise_offset", "mixed_precision",
    "seed", "lora_rank", "lora_alpha", "lora_dropout", "lora_target_modules",
)  # fmt: skip


def model_card(config: TrainingConfig, run_name: str, step: int, train_samples: int, kohya_file: str) -> str:
    """Markdown with the front matter that model hubs read."""
    base = config.pretrained_model_name_or_path
    prompt = next((prompt for prompt in config.validation_prompts if prompt.strip()), "a photo of casual shoes")
    is_repository = not PurePath(base).is_absolute() and base.count("/") == 1
    front_matter = [f"base_model: {base}"] if is_repository else []
    settings = config.model_dump()
    rows = [f"| {name} | {_cell(settings[name])} |" for name in SHOWN_SETTINGS]
    return "\n".join(
        [
            "---", "library_name: diffusers", *front_matter,
            "tags: [stable-diffusion, text-to-image, lora, diffusers, peft]", "---",
            "", f"# {run_name}", "",
            f"A LoRA adapter for the UNet of `{base}`, after {step} of {config.max_train_steps} steps on "
            f"{train_samples} pictures, {config.effective_batch_size} to a step.",
            "", "## In diffusers", "", "```python",
            "from diffusers import StableDiffusionPipeline", "",
            f"pipeline = StableDiffusionPipeline.from_pretrained({base!r})",
            'pipeline.load_lora_weights("lora_weights")  # this folder',
            f"pipeline({prompt!r}).images[0].save('picture.png')", "```",
            "", "## In peft", "", "```python",
            "from peft import PeftModel", "",
            'unet = PeftModel.from_pretrained(unet, "lora_weights")', "```",
            "", "## In ComfyUI and A1111", "",
            f"Copy `{kohya_file}` into `models/loras` of ComfyUI, or into `models/Lora` of A1111 and write "
            f"`<lora:{PurePath(kohya_file).stem}:1>` in the prompt.",
            "", "## Training", "", "| setting | value |", "| --- | --- |", *rows, "",
        ]
    )  # fmt: skip


def _cell(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
