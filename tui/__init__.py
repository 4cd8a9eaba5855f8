"""The terminal side: command line and console. It imports engine.contract and engine.control, and never torch."""
