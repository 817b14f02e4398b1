"""How much accuracy trained models keep when clips are corrupted."""
