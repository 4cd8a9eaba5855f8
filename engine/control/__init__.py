"""What the terminal side asks of the engine: launch, restart, send, run a tool. No torch here."""

from engine.control.commanding import Outcome, send, send_and_wait
from engine.control.estimating import Estimate, estimate
from engine.control.launching import launch, resolve, restart
from engine.control.obstacles import Obstacle
from engine.control.tools import Tool, ToolProcess, run_tool

__all__ = [
    "Estimate", "Obstacle", "Outcome", "Tool", "ToolProcess", "estimate", "launch", "resolve", "restart",
    "run_tool", "send", "send_and_wait",
]  # fmt: skip
