"""Recognition of clips and streams: probabilities of emotions over time."""
