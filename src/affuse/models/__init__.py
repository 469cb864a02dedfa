"""4. Streams to emotion: one module per paper, shared layers, backbones, registry."""
