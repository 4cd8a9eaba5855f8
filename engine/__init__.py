"""The training engine: everything between a configuration and an adapter, with no terminal interface in it."""

__version__ = "0.1.0"
