"""Audio-visual emotion recognition in JAX.

An implementation of "Video-Audio Emotion Recognition Based on Feature Fusion
Deep Learning Method" (Song, Cai, Tan), and what goes beyond it.
"""

__version__ = '0.1.2'
