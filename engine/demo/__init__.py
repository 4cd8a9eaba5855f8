"""The embedded demo: a small base model and a drawn data set, so that a first run needs no download."""
