"""`check` looks at everything, says what to do where something is wrong, and no broken part of a machine breaks it."""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from PIL import Image

from engine import demo, device
from engine.contract.config import TrainingConfig
from engine.contract.errors import DataError
from engine.contract.run_dir import Workspace
from engine.environment import lines, run_check, run_checks, verdict
from engine.environment_checks import CHECKS, Check, check_package
from engine.estimate import GIB, disk_need, memory_parts, model_bytes
from engine.machine import Room


def demo_config(workspace: Workspace, **changes: object) -> TrainingConfig:
    """The demo as engine.control resolves it."""
    settings = {
        "pretrained_model_name_or_path": str(demo.BASE_MODEL),
        "train_data_dir": str(demo.data_folder("demo", workspace)),
        "resolution": 64,
        "num_validation_images": 2,
    }
    return TrainingConfig.model_validate({**settings, **changes})


def checked(workspace: Workspace, **changes: object) -> dict[str, Check]:
    return {check.name: check for check in run_checks(demo_config(workspace, **changes), workspace)}


@pytest.fixture
def workspace(tmp_path: Path, drawn_demo: Path) -> Workspace:
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / ".demo").symlink_to(drawn_demo)
    return Workspace(tmp_path)


def test_the_demo_can_be_trained_here(workspace: Workspace) -> None:
    checks = checked(workspace)
    assert {name: check.text for name, check in checks.items() if check.verdict == "FAIL"} == {}
    assert verdict(list(checks.values())) == "Ready to train."


def test_everything_promised_is_looked_at_and_told_under_its_own_name(workspace: Workspace) -> None:
    promised = {"python", "torch", "device", "diffusers", "transformers", "peft", "memory", "disk", "data set"}
    assert promised | {"base model", "terminal"} <= set(CHECKS) == set(checked(workspace))


def test_a_missing_data_set_is_a_failure_with_a_remedy(workspace: Workspace) -> None:
    check = checked(workspace, train_data_dir=str(workspace.root / "nowhere"))["data set"]
    assert check.verdict == "FAIL" and "nowhere" in check.text and check.remedy


def test_a_data_set_with_a_few_problems_is_a_warning_that_names_them(workspace: Workspace) -> None:
    folder = workspace.root / "shoes"
    (folder / "images").mkdir(parents=True)
    names = [f"shoe{number:03d}.png" for number in range(40)]
    for name in names:
        Image.new("RGB", (8, 8)).save(folder / "images" / name)
    (folder / "captions.json").write_text(json.dumps(dict.fromkeys([*names, "absent.png"], "a shoe")))
    check = checked(workspace, train_data_dir=str(folder))["data set"]
    assert check.verdict == "WARN"
    assert "40 pictures" in check.text and "1 left out" in check.text and "absent.png" in check.text


def test_a_data_set_too_small_for_one_step_is_a_failure(workspace: Workspace) -> None:
    folder = workspace.root / "shoes"
    (folder / "images").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "images" / "one.png")
    (folder / "captions.json").write_text('{"one.png": "a shoe"}')
    assert checked(workspace, train_data_dir=str(folder))["data set"].verdict == "FAIL"


def test_a_missing_base_model_is_a_failure_with_the_command_that_fetches_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.model_source.try_to_load_from_cache", lambda *_, **__: None)
    check = checked(workspace, pretrained_model_name_or_path="somebody/something")["base model"]
    assert check.verdict == "FAIL" and "hf download somebody/something" in check.remedy


def test_a_missing_preview_decoder_is_a_failure(workspace: Workspace) -> None:
    check = checked(workspace, preview_decoder="no/where/at/all", preview_steps=10)["base model"]
    assert check.verdict == "FAIL" and "preview_decoder no/where/at/all" in check.text


def test_a_device_that_is_not_there_is_a_failure(workspace: Workspace) -> None:
    absent = next(name for name in ("mps", "cuda") if device.choose_device("auto").name != name)
    assert checked(workspace, device=absent)["device"].verdict == "FAIL"


def test_too_little_memory_is_a_failure_and_names_cheaper_settings(workspace: Workspace) -> None:
    model = workspace.root / "model"
    model.mkdir()
    with (model / "unet.safetensors").open("wb") as file:
        file.truncate(2 * GIB)  # sparse
    check = checked(workspace, pretrained_model_name_or_path=str(model), resolution=2048, train_batch_size=256)[
        "memory"
    ]
    assert check.verdict == "FAIL" and "low_memory" in check.remedy
    assert "train_batch_size 256, gradient_checkpointing full (auto: nothing fits" in check.text


def test_the_check_of_memory_tells_what_auto_becomes(workspace: Workspace) -> None:
    text = checked(workspace, train_batch_size="auto", gradient_accumulation_steps=6)["memory"].text
    assert "train_batch_size 6, gradient_checkpointing none (auto: about" in text
    assert "(auto" not in checked(workspace, gradient_checkpointing="full")["memory"].text


def test_too_little_disk_is_a_failure(workspace: Workspace) -> None:
    check = checked(workspace, resolution=2048, num_validation_images=256, validation_steps=1, max_train_steps=10**7)
    assert check["disk"].verdict == "FAIL"


@pytest.mark.parametrize(("version", "expected"), [("0.42.9", "OK"), ("0.41.0", "FAIL"), ("0.43.0", "FAIL")])
def test_a_package_is_held_against_the_version_that_was_tested(
    version: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: version)
    assert check_package("diffusers").verdict == expected


def test_a_local_build_of_a_version_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda _: "2.13.0+cpu")
    assert check_package("torch").verdict == "OK"


def test_a_check_that_breaks_is_a_failure_and_no_traceback(workspace: Workspace) -> None:
    def broken(_: TrainingConfig, __: Workspace) -> Check:
        raise ImportError("libtorch.so is missing")

    def told(_: TrainingConfig, __: Workspace) -> Check:
        raise DataError("what", "why", "remedy")

    config = demo_config(workspace)
    assert run_check("torch", broken, config, workspace).text == "ImportError: libtorch.so is missing"
    assert run_check("data", told, config, workspace) == Check("data", "FAIL", "what. why", "remedy")


def test_one_line_for_each_check_and_the_remedy_only_where_something_is_wrong() -> None:
    assert lines(Check("disk", "OK", "much", "none needed")) == ["[OK]   disk: much"]
    assert lines(Check("disk", "FAIL", "full", "Make room.")) == ["[FAIL] disk: full", "       Do: Make room."]


def test_the_verdict_counts_failures_and_not_warnings() -> None:
    warned, failed = Check("a", "WARN", ""), Check("b", "FAIL", "")
    assert verdict([warned]) == "Ready to train."
    assert verdict([warned, failed]) == "Not ready: 1 problem."
    assert verdict([failed, failed]) == "Not ready: 2 problems."


def test_neither_the_checks_nor_the_data_set_load_torch() -> None:
    """check must be able to say that torch is broken, and engine.device sets what torch reads when it is imported."""
    code = "import sys, engine.environment, engine.dataset; print({'torch', 'diffusers'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_torch_that_does_not_load_is_a_failed_check_and_no_traceback(workspace: Workspace) -> None:
    broken = workspace.root / "broken"
    (broken / "torch").mkdir(parents=True)
    (broken / "torch" / "__init__.py").write_text("raise ImportError('libtorch.so: cannot open shared object file')")
    done = subprocess.run(
        [sys.executable, "-m", "engine.environment", "--workspace", str(workspace.root)],
        input=demo_config(workspace).model_dump_json(),
        env={**os.environ, "PYTHONPATH": str(broken)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "[FAIL] torch: ImportError: libtorch.so: cannot open shared object file" in done.stdout
    assert "[OK]   data set: " in done.stdout
    assert "Not ready" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(("data", "code"), [("demo", 0), ("nowhere", 1)])
def test_as_json_it_is_one_object_and_the_exit_code_says_the_same(workspace: Workspace, data: str, code: int) -> None:
    folder = str(demo.data_folder("demo", workspace)) if data == "demo" else data
    done = subprocess.run(
        [sys.executable, "-m", "engine.environment", "--workspace", str(workspace.root), "--json"],
        input=demo_config(workspace, train_data_dir=folder).model_dump_json(),
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout)
    assert done.returncode == code
    assert told["ready"] is (code == 0)
    assert [check["name"] for check in told["checks"]] == list(CHECKS)


# ---- the estimate behind memory and disk ----------------------------------------------------------------------------


def test_memory_grows_with_the_batch_and_shrinks_with_checkpointing_and_half_precision() -> None:
    def need(**settings: object) -> int:
        config = TrainingConfig.model_validate({"gradient_checkpointing": "attention", **settings})
        return memory_parts(config, Room(GIB, "device", is_metal=True)).total

    assert need(train_batch_size=1) < need(train_batch_size=2) < need(train_batch_size=4)
    modes = [need(gradient_checkpointing=mode) for mode in ("full", "attention", "none")]
    assert modes == sorted(modes) and len(set(modes)) == 3
    assert need(mixed_precision="fp16") < need()


def test_disk_counts_the_merged_pipeline_only_if_it_is_wanted() -> None:
    with_it, without = (disk_need(TrainingConfig(save_final_pipeline=wish), 4 * GIB, 1991) for wish in (True, False))
    assert with_it - without == 4 * GIB


def test_the_size_of_a_base_model_is_that_of_its_weights(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "model.safetensors").write_bytes(b"x" * 10)
    (tmp_path / "model_index.json").write_text("{}")
    assert model_bytes(str(tmp_path)) == 10
    assert model_bytes(str(tmp_path / "unet" / "model.safetensors")) == 10
    assert model_bytes("owner/name") == pytest.approx(4 * GIB, rel=0.05)
