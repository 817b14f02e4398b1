"""A clip becomes probabilities of emotions, whole and over time."""
