"""What the console, the supervisor and the worker agree on: configuration, protocol, states, files, journal."""
