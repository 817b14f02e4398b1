"""Configuration, the training step, the loop over epochs, checkpoints, logs."""
