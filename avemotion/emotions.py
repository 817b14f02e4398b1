"""The eight emotions of RAVDESS, in its order, and their colours in plots."""

# RAVDESS numbers them 01 to 08 in this order (Livingstone & Russo 2018).
EMOTIONS = (
  'neutral',
  'calm',
  'happy',
  'sad',
  'angry',
  'fearful',
  'disgust',
  'surprised',
)

COLOURS = {
  'neutral': '#8c8c8c',
  'calm': '#76b7b2',
  'happy': '#e8b21e',
  'sad': '#4e79a7',
  'angry': '#d1343b',
  'fearful': '#8a5aa8',
  'disgust': '#6b8e3d',
  'surprised': '#f28e2b',
}
