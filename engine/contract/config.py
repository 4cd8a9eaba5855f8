"""TrainingConfig: the one definition of every setting; file, flags, form, help and bounds are made from it."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.contract.contradictions import contradictions
from engine.contract.setting_rules import NONE_WORD, ON_OFF, AutoOr

Group = Literal["model", "data", "training", "lora", "validation", "checkpoints", "hardware", "output"]
CheckpointingMode = Literal["none", "attention", "full"]
SHOE_PROMPTS = [
    "a professional product photo of red casual shoes on white background",
    "a professional product photo of black leather shoes on white background",
    "a professional product photo of white sneakers on grey background",
    "a professional product photo of blue canvas shoes on white background",
    "a pair of brown casual shoes, side view, studio light",
    "a pair of green running shoes on a wooden floor",
    "a close up photo of yellow casual shoes with white soles",
    "a photo of pink slip-on shoes on beige background",
]


def setting(
    default: Any,
    *,
    group: Group,
    title: str,
    help: str,
    unit: str = "",
    may_change_on_resume: bool = False,
    **bounds: Any,
) -> Any:
    """A pydantic field that also carries what a form and `--help` need."""
    extra: dict[str, Any] = {"group": group, "unit": unit, "may_change_on_resume": may_change_on_resume}
    return Field(default, title=title, description=help, json_schema_extra=extra, **bounds)


class TrainingConfig(BaseModel):
    """All settings of a run; frozen and written into the run's folder when the run starts."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    pretrained_model_name_or_path: str = setting(
        "stable-diffusion-v1-5/stable-diffusion-v1-5", group="model", title="Base model", min_length=1,
        help="A hub id, a local diffusers folder, a single .safetensors file, or demo for the small built-in model.",
    )  # fmt: skip
    prediction_type: Literal["auto", "epsilon", "v_prediction"] = setting(
        "auto", group="model", title="Prediction type",
        help="What the UNet predicts: the noise or the velocity. auto reads it from the base model.",
    )  # fmt: skip

    train_data_dir: str = setting(
        "data/casual_shoes/train", group="data", title="Training pictures", min_length=1,
        help="A folder with images/ and captions.json, with metadata.jsonl, or with .txt files beside the pictures; "
        "demo draws its own.",
    )  # fmt: skip
    resolution: int = setting(
        512, group="data", title="Resolution", unit="px", ge=32, le=2048, multiple_of=8,
        help="Pictures are resized so that the shorter side has this length, then cropped to a centred square.",
    )  # fmt: skip
    random_flip: bool = setting(
        False, group="data", title="Random flip",
        help="Mirror half of the samples. Leave it off where left and right differ, as with logos.",
    )  # fmt: skip
    caption_dropout: float = setting(
        0.0, group="data", title="Caption dropout", unit="share", ge=0, le=1,
        help="Share of samples trained with an empty caption; about 0.1 strengthens guidance.",
    )  # fmt: skip
    dataloader_num_workers: int = setting(
        4, group="data", title="Decoding threads", ge=0, le=64, may_change_on_resume=True,
        help="Threads that read and resize pictures while the VAE encodes others; 0 reads them one by one.",
    )  # fmt: skip

    train_batch_size: AutoOr[Annotated[int, Field(ge=1, le=256)]] = setting(
        2, group="training", title="Batch size", unit="samples", may_change_on_resume=True,
        help="Samples in one micro-batch. auto takes as many as fit into memory; the accumulation then counts samples "
        "and is the effective batch.",
    )  # fmt: skip
    gradient_accumulation_steps: int = setting(
        8, group="training", title="Accumulation", unit="micro-batches", ge=1, le=4096, may_change_on_resume=True,
        help="Micro-batches per optimizer step. Batch size times this is the effective batch, which nothing changes.",
    )  # fmt: skip
    max_train_steps: int = setting(
        3000, group="training", title="Steps", unit="steps", ge=1, le=10_000_000,
        help="Optimizer steps in the whole run.",
    )  # fmt: skip
    learning_rate: float = setting(
        1e-4, group="training", title="Learning rate", gt=0, le=1,
        help="Peak learning rate of AdamW.",
    )  # fmt: skip
    lr_scheduler: Literal[
        "constant", "constant_with_warmup", "linear", "cosine", "cosine_with_restarts", "polynomial"
    ] = setting(
        "constant", group="training", title="Schedule",
        help="How the learning rate changes after warm-up; all but the constant ones end at zero with the last step.",
    )  # fmt: skip
    lr_warmup_steps: int = setting(
        0, group="training", title="Warm-up", unit="steps", ge=0, le=10_000_000,
        help="Steps in which the learning rate rises from zero. The schedule constant ignores it.",
    )  # fmt: skip
    snr_gamma: Annotated[float | None, NONE_WORD] = setting(
        None, group="training", title="Min-SNR gamma", gt=0, le=100,
        help="Weight the loss by min(SNR, gamma) / SNR (Hang et al. 2023, arXiv:2303.09556); 5 is usual, none is off.",
    )  # fmt: skip
    noise_offset: float = setting(
        0.0, group="training", title="Noise offset", ge=0, le=1,
        help="Adds this much of a constant per channel to the noise; 0.05 to 0.1 helps very dark or bright pictures.",
    )  # fmt: skip
    max_grad_norm: float = setting(
        1.0, group="training", title="Gradient clipping", gt=0, le=1e6,
        help="Gradients are scaled down to this norm over all adapter weights.",
    )  # fmt: skip
    adam_beta1: float = setting(0.9, group="training", title="Adam beta 1", ge=0, lt=1, help="Momentum of AdamW.")
    adam_beta2: float = setting(
        0.999, group="training", title="Adam beta 2", ge=0, lt=1, help="Decay of AdamW's second moment."
    )
    adam_weight_decay: float = setting(
        0.01, group="training", title="Weight decay", ge=0, le=10, help="Decoupled weight decay of AdamW."
    )
    adam_epsilon: float = setting(
        1e-8, group="training", title="Adam epsilon", gt=0, le=1, help="Keeps AdamW from dividing by zero."
    )
    seed: int = setting(
        42, group="training", title="Seed", ge=0, le=2**63 - 1,
        help="Decides every draw of the run, together with the number of the sample.",
    )  # fmt: skip

    lora_rank: int = setting(
        8, group="lora", title="Rank", ge=1, le=512, help="Inner width of each adapter; its size grows with it."
    )
    lora_alpha: float = setting(
        16, group="lora", title="Alpha", gt=0, le=4096, help="The adapter's output is scaled by alpha / rank."
    )
    lora_dropout: float = setting(
        0.0, group="lora", title="Dropout", unit="share", ge=0, lt=1,
        help="Share of the adapter's inputs dropped in training.",
    )  # fmt: skip
    lora_target_modules: list[str] = setting(
        ["to_q", "to_k", "to_v", "to_out.0"], group="lora", title="Target modules", min_length=1,
        help="Endings of the UNet's module names that get an adapter.",
    )  # fmt: skip

    validation_prompts: list[str] = setting(
        SHOE_PROMPTS, group="validation", title="Prompts", may_change_on_resume=True,
        help="Prompts of the validation images; used in turn until the number of images is reached.",
    )  # fmt: skip
    validation_negative_prompt: str = setting(
        "", group="validation", title="Negative prompt", may_change_on_resume=True,
        help="What validation images should not show.",
    )  # fmt: skip
    num_validation_images: int = setting(
        16, group="validation", title="Images", ge=0, le=256, may_change_on_resume=True,
        help="Images at each validation. Each has a seed of its own, the same every time.",
    )  # fmt: skip
    validation_steps: int = setting(
        500, group="validation", title="Validate every", unit="steps", ge=1, le=10_000_000, may_change_on_resume=True,
        help="Validation runs once before the first step, then every so many steps, and after the last.",
    )  # fmt: skip
    validation_inference_steps: int = setting(
        25, group="validation", title="Denoising steps", ge=1, le=1000, may_change_on_resume=True,
        help="Steps of DPM++ 2M for each image.",
    )  # fmt: skip
    validation_guidance_scale: float = setting(
        7.5, group="validation", title="Guidance", ge=0, le=100, may_change_on_resume=True,
        help="Classifier-free guidance of the images; 1 or less is none.",
    )  # fmt: skip
    validation_split: float = setting(
        0.05, group="validation", title="Held out", unit="share", gt=0, lt=1,
        help="Share of the pictures, at least 8, that are never trained on and measure the validation loss.",
    )  # fmt: skip
    preview_decoder: Annotated[str | None, NONE_WORD] = setting(
        None, group="validation", title="Preview decoder", may_change_on_resume=True,
        help="Folder or hub id of a small autoencoder (AutoencoderTiny), such as madebyollin/taesd: it decodes light "
        "previews between validations. none draws none.",
    )  # fmt: skip
    preview_steps: int = setting(
        100, group="validation", title="Preview every", unit="steps", ge=1, le=10_000_000, may_change_on_resume=True,
        help="With a preview decoder, the first four images are drawn in ten denoising steps every so many steps.",
    )  # fmt: skip

    checkpointing_steps: int = setting(
        500, group="checkpoints", title="Checkpoint every", unit="steps", ge=1, le=10_000_000,
        may_change_on_resume=True, help="A checkpoint is all that is needed to resume exactly.",
    )  # fmt: skip
    checkpoints_total_limit: int = setting(
        5, group="checkpoints", title="Keep checkpoints", ge=1, le=10_000, may_change_on_resume=True,
        help="Older checkpoints are removed once a newer one has been verified.",
    )  # fmt: skip
    resume_from_checkpoint: Annotated[str | None, NONE_WORD] = setting(
        None, group="checkpoints", title="Continue from", may_change_on_resume=True,
        help="Begin from a checkpoint of another run: its folder, or latest for the newest of the workspace.",
    )  # fmt: skip
    max_restarts: int = setting(
        3, group="checkpoints", title="Restarts", ge=0, le=100, may_change_on_resume=True,
        help="How often a worker that died is started again without a new checkpoint in between.",
    )  # fmt: skip

    device: Literal["auto", "mps", "cuda", "cpu"] = setting(
        "auto", group="hardware", title="Device", may_change_on_resume=True,
        help="auto takes mps, then cuda, then cpu, whichever is there first.",
    )  # fmt: skip
    mixed_precision: Literal["no", "fp16", "bf16"] = setting(
        "no", group="hardware", title="Mixed precision",
        help="no keeps all in fp32, the safe choice; fp16 and bf16 halve the base model. Adapters are always fp32.",
    )  # fmt: skip
    torch_compile: bool = setting(
        False, group="hardware", title="torch.compile", may_change_on_resume=True,
        help="Compile the UNet's transformer blocks for training steps, on cuda and cpu; the first step takes a minute "
        "or more. It needs a C++ compiler.",
    )  # fmt: skip
    gradient_checkpointing: Annotated[Literal["auto", "none", "attention", "full"], ON_OFF] = setting(
        "auto", group="hardware", title="Checkpointing", may_change_on_resume=True,
        help="What is computed twice to save memory: none, attention (4 % more work), full blocks (38 % more), or "
        "auto, the fastest that fits. true means attention, false means none.",
    )  # fmt: skip
    num_processes: int = setting(
        1, group="hardware", title="Processes", ge=1, le=64, may_change_on_resume=True,
        help="Processes that share the micro-batches of each step, one for each CUDA GPU, started by accelerate.",
    )  # fmt: skip

    run_name: Annotated[str | None, NONE_WORD] = setting(
        None, group="output", title="Run name", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,79}$",
        may_change_on_resume=True, help="Folder under outputs/; made from the preset's name and the time if left out.",
    )  # fmt: skip
    save_final_pipeline: bool = setting(
        True, group="output", title="Merged pipeline", may_change_on_resume=True,
        help="At the end also write the base model with the adapter merged in, 4 GB for SD 1.5.",
    )  # fmt: skip

    @property
    def micro_batch_size(self) -> int:
        """Samples in one micro-batch; one where auto still has to be replaced, see engine/fitting.py."""
        return 1 if self.train_batch_size == "auto" else self.train_batch_size

    @property
    def checkpointing_mode(self) -> CheckpointingMode:
        """What is computed twice; nothing where auto still has to be replaced, see engine/fitting.py."""
        return "none" if self.gradient_checkpointing == "auto" else self.gradient_checkpointing

    @property
    def effective_batch_size(self) -> int:
        """Samples that one optimizer step sees."""
        return self.micro_batch_size * self.gradient_accumulation_steps

    @model_validator(mode="after")
    def _no_contradictions(self) -> Self:
        """pydantic takes the error that this raises apart: each contradiction becomes a fault of its own."""
        if texts := list(contradictions(self)):
            raise ValidationError.from_exception_data(
                type(self).__name__,
                [{"type": "value_error", "ctx": {"error": ValueError(text)}, "input": self} for text in texts],
            )
        return self
