r"""Extracts the Javanese clips: real faces of ten actors, pixels through VGG16.

  python launch/javanese.py --clips=../shared/javanese
  python launch/train.py --config.data.dataset=runs/javanese.npz \
    --config.data.protocol=actor10 --workdir=runs/javanese

An experiment: 240 acted clips, 10 actors × 4 sentences × 6 emotions, named
AA-SS-EE_01.mp4. They state no licence, so neither they, nor what is made of
them, ship. A clip that cannot be used is named on standard error; the others go
on, and the exit code is 1.
"""

import os
import pathlib
import re
import sys
from collections.abc import Callable, Sequence

# Before MediaPipe imports TensorFlow, which would print.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ.setdefault('TF_ENABLE_ONEDNN_OPTS', '0')

import numpy as np
from absl import app, flags

from avemotion.data.clips import EXTRACTED_SOURCES, ClipSet, pad
from avemotion.features.clip import FEATURE_WIDTHS, ClipFeatures, Extractor
from avemotion.models.fusion import MODALITIES
from avemotion.training import logs
from tfds_ravdess import progress

_CLIPS = flags.DEFINE_string(
  'clips', None, 'folder of AA-SS-EE_01.mp4', required=True
)
_OUTPUT = flags.DEFINE_string('output', 'runs/javanese.npz', 'file to write')

# EE counts them from 01.
EMOTIONS = ('neutral', 'sad', 'happy', 'surprised', 'fearful', 'angry')
_NAME = re.compile(r'(?P<actor>\d\d)-\d\d-(?P<emotion>0[1-6])_01')


def main(argv: list[str]) -> int:
  """Extracts what can be, writes it, and says what came of it."""
  if len(argv) > 1:
    raise app.UsageError(f'unexpected arguments: {" ".join(argv[1:])}')
  logs.log_to_terminal()
  paths = sorted(pathlib.Path(_CLIPS.value).glob('*.mp4'))
  try:
    features, problems = extract(paths, Extractor())
    for problem in problems:
      print(f'javanese.py: {problem}', file=sys.stderr)
    if not features:
      raise ValueError(
        f'{_CLIPS.value} has no clip AA-SS-EE_01.mp4 that can be used'
      )
    clips = to_clip_set(features)
    clips.to_npz(_OUTPUT.value)
  except (ValueError, OSError) as error:
    print(f'javanese.py: {error}', file=sys.stderr)
    return 1
  print(f'{_OUTPUT.value}: {clips.describe()}')
  return int(len(clips) < len(paths))


def extract(
  paths: Sequence[pathlib.Path],
  extractor: Callable[[pathlib.Path], ClipFeatures],
) -> tuple[dict[str, ClipFeatures], list[str]]:
  """Extracts clip after clip, showing how far it is.

  Args:
    paths: of the clips.
    extractor: an `avemotion.features.clip.Extractor`.

  Returns:
    Features by clip id, and in words what is missing or doubtful, each with the
    clip's name.
  """
  features, problems = {}, []
  with progress.clip_progress() as show:
    for done, path in enumerate(paths, 1):
      try:
        actor_and_label(path.stem)
        features[path.stem] = extractor(path)
        warnings = features[path.stem].warnings
        problems += [f'{path}: {warning}' for warning in warnings]
      except ValueError as error:
        problems.append(f'left out: {error}')
      show(done, len(paths))
  return features, problems


def to_clip_set(features: dict[str, ClipFeatures]) -> ClipSet:
  """Pads the clips; one that lacks a modality has no valid steps of it.

  Args:
    features: by clip id; not empty.

  Returns:
    The data set, in the order of the ids.
  """
  clip_ids = sorted(features)
  padded = {}
  for modality in MODALITIES:
    nothing = np.zeros((0, FEATURE_WIDTHS[modality]), np.float32)
    rows = [getattr(features[clip], modality) for clip in clip_ids]
    padded[modality] = pad([nothing if r is None else r for r in rows])
  actors, labels = zip(*map(actor_and_label, clip_ids), strict=True)
  return ClipSet(
    features={modality: rows for modality, (rows, _) in padded.items()},
    lengths={modality: lengths for modality, (_, lengths) in padded.items()},
    labels=np.array(labels, np.int32),
    actors=np.array(actors, np.int32),
    clip_ids=np.array(clip_ids),
    label_names=EMOTIONS,
    sources=EXTRACTED_SOURCES,
  )


def actor_and_label(clip_id: str) -> tuple[int, int]:
  """What a clip's name says: '03-02-06_01' is actor 3, angry.

  Raises:
    ValueError: the name is of another form.
  """
  name = _NAME.fullmatch(clip_id)
  if name is None:
    raise ValueError(
      f'{clip_id}: expected AA-SS-EE_01, with EE from 01 to {len(EMOTIONS):02d}'
    )
  return int(name['actor']), int(name['emotion']) - 1


if __name__ == '__main__':
  app.run(main)
