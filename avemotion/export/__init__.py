"""A trained model as files for programs without this package.

`directory.write` makes one directory of a model: StableHLO for JAX, ONNX for
everything else, and a model card that says what to feed it.
"""
