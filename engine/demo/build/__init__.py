"""How the demo's base model is made: drawings, an autoencoder, then a text encoder with a UNet, all from one seed."""

from engine import libraries

libraries.quiet()  # before any module here imports them
