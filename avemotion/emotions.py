"""The eight emotions of RAVDESS, in its order, and their plot colours."""

# RAVDESS numbers its emotions 01 to 08 in this order (Livingstone & Russo
# 2018).
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
  'surprised': '#e0559c',
}

# Colours for the labels of other data sets.
_OTHER_COLOURS = (
  '#1f77b4',
  '#ff7f0e',
  '#2ca02c',
  '#d62728',
  '#9467bd',
  '#8c564b',
  '#e377c2',
  '#7f7f7f',
  '#bcbd22',
  '#17becf',
)


def colour_of(label: str, index: int) -> str:
  """Returns the colour of an emotion, or of any other label by its index."""
  return COLOURS.get(label, _OTHER_COLOURS[index % len(_OTHER_COLOURS)])
