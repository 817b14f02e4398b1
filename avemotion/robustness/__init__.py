"""The accuracy that trained models keep when clips are corrupted."""
