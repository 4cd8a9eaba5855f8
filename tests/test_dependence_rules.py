"""Who may import what, who may name a device, and what may cross a process boundary: the rules of ARCHITECTURE.md."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import pytest

from engine.channel import ReportSender, SupervisorEnd
from engine.contract import protocol

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(path for package in ("engine", "tui") for path in (ROOT / package).rglob("*.py"))
HEAVY = {"torch", "diffusers", "transformers", "peft", "accelerate"}
DEVICE_NAMES = re.compile(r"\b(mps|cuda)\b|PYTORCH_(MPS|CUDA)")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, anywhere in it, as a.b.c; for `from a import b` both a and a.b."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def loaded_after_importing(*modules: str) -> set[str]:
    """The top-level packages in a fresh interpreter after it has imported some modules."""
    code = f"import sys, {', '.join(modules)}; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return set(done.stdout.split())


def in_package(package: str) -> list[Path]:
    return [path for path in SOURCES if path.is_relative_to(ROOT / package)]


@pytest.mark.parametrize("path", in_package("engine"), ids=module_name)
def test_the_engine_knows_nothing_of_terminals(path: Path) -> None:
    assert not [name for name in imports(path) if is_within(name, {"tui", "textual", "rich"})]


@pytest.mark.parametrize("path", in_package("tui"), ids=module_name)
def test_the_terminal_side_imports_only_contract_and_control(path: Path) -> None:
    of_the_engine = [name for name in imports(path) if is_within(name, {"engine"})]
    assert not [name for name in of_the_engine if not is_within(name, {"engine.contract", "engine.control"})]
    assert not [name for name in imports(path) if is_within(name, HEAVY)]


@pytest.mark.parametrize("path", in_package("engine/contract"), ids=module_name)
def test_the_contract_needs_only_the_standard_library_pydantic_and_msgspec(path: Path) -> None:
    allowed = sys.stdlib_module_names | {"pydantic", "msgspec", "engine"}
    assert {name.split(".")[0] for name in imports(path)} <= allowed
    of_the_engine = [name for name in imports(path) if is_within(name, {"engine"})]
    assert not [name for name in of_the_engine if not is_within(name, {"engine.contract"})]


def test_contract_control_and_supervisor_load_neither_torch_nor_textual() -> None:
    modules = [module_name(path) for path in in_package("engine/contract")]
    loaded = loaded_after_importing(*modules, "engine.control", "engine.supervisor")
    assert not loaded & {*HEAVY, "textual", "rich", "numpy", "tui"}


def test_the_command_line_loads_neither_torch_nor_textual() -> None:
    assert not loaded_after_importing("tui.cli") & {*HEAVY, "textual", "term_image", "numpy"}


def test_no_part_of_the_console_loads_torch() -> None:
    assert not loaded_after_importing(*(module_name(path) for path in in_package("tui"))) & HEAVY


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_only_device_py_names_what_depends_on_the_device(path: Path) -> None:
    settings = {"engine.contract.config", "engine.contract.contradictions"}  # names, and what goes with them
    if module_name(path) in {"engine.device", *settings}:
        return
    tree = ast.parse(path.read_text())
    with_text = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    explained = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, with_text) and ast.get_docstring(node) and isinstance(node.body[0], ast.Expr)
    }
    named = [
        f"line {node.lineno}: {node.value!r}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and node not in explained
        and DEVICE_NAMES.search(node.value)
    ]
    used = [
        f"line {node.lineno}: .{node.attr}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"mps", "cuda"}
    ]
    assert not named + used


@pytest.mark.parametrize("kind", [*get_args(protocol.Command), *get_args(protocol.Event)])
def test_what_crosses_a_process_boundary_is_defined_by_the_protocol(kind: type) -> None:
    assert kind.__module__ == "engine.contract.protocol"


def test_the_pipes_between_supervisor_and_worker_carry_the_protocol_alone() -> None:
    senders = (SupervisorEnd.send, ReportSender.put)
    carried = {kind for sender in senders for name, kind in get_type_hints(sender).items() if name != "return"}
    assert carried == {protocol.Request, protocol.Report}
    assert protocol.Request.__module__ == protocol.Report.__module__ == "engine.contract.protocol"


@pytest.mark.parametrize("path", SOURCES, ids=module_name)
def test_nothing_is_unpickled(path: Path) -> None:
    """A file that somebody sent must not be able to run code."""
    assert not [name for name in imports(path) if is_within(name, {"pickle", "dill", "marshal", "shelve"})]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            assert any(word.arg == "weights_only" and ast.unparse(word.value) == "True" for word in node.keywords)
