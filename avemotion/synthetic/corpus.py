"""Synthetic corpus of talking heads in the file layout of RAVDESS.

Tests and the quick start run the whole pipeline on these clips, from files to a
trained model, in a minute. The clips are cartoons: accuracy on them shows that
the pipeline works, not how well it recognises emotions.
"""

import fractions
import functools
import itertools
import os
import pathlib
from collections.abc import Callable, Iterable

import numpy as np

from avemotion.emotions import EMOTIONS
from avemotion.synthetic import face as face_lib
from avemotion.synthetic import media, motion, voice


def make_corpus(
  root: str | os.PathLike[str],
  actors: Iterable[int] = (1, 2, 3, 4),
  emotions: Iterable[str] = EMOTIONS,
  statements: Iterable[int] = (1, 2),
  seconds: float = 2.0,
  progress: Callable[[pathlib.Path], None] | None = None,
) -> list[pathlib.Path]:
  """Writes clips such as `root/Actor_01/01-01-05-01-01-01-01.mp4`.

  Existing clips are kept, so a second call resumes a killed one. `progress` is
  called with the path of each new clip; the other arguments are as for
  `make_clip`. Returns the paths of all clips, in order.
  """
  paths = []
  for actor, emotion, said in itertools.product(actors, emotions, statements):
    folder = pathlib.Path(root, f'Actor_{actor:02d}')
    path = folder / clip_name(emotion, actor, said)
    paths.append(path)
    if not path.exists():
      folder.mkdir(parents=True, exist_ok=True)
      make_clip(path, emotion, actor, said, seconds=seconds)
      if progress is not None:
        progress(path)
  return paths


def clip_name(emotion: str, actor: int, statement: int = 1) -> str:
  """Returns a RAVDESS file name: video with sound, speech, normal intensity.

  Raises a `ValueError` for an unknown emotion.
  """
  fields = (1, 1, EMOTIONS.index(emotion) + 1, 1, statement, 1, actor)
  return '-'.join(f'{field:02d}' for field in fields) + '.mp4'


def make_clip(
  path: str | os.PathLike[str],
  emotion: str,
  actor: int,
  statement: int = 1,
  seconds: float = 2.0,
  fps: float | fractions.Fraction = 30,
  size: tuple[int, int] = (320, 240),
  video: bool = True,
  audio: bool = True,
  face: bool = True,
  seed: int = 0,
) -> None:
  """Writes one clip, optionally without video, audio or face.

  The clip is deterministic, and is written atomically: an unfinished one is
  named `.NAME.part`.

  Args:
    path: file; .mp4, .mkv, .webm, .avi, .mpg or .wav sets container and codecs.
    emotion: one of `avemotion.emotions.EMOTIONS`.
    actor: 1 to 24; odd actors are men, even ones women.
    statement: 1 or 2.
    seconds: length of the clip.
    fps: frames per second; .mpg allows the rates of television only.
    size: width and height in pixels, both even.
    video: adds a video track.
    audio: adds an audio track.
    face: adds the actor to the picture.
    seed: seed of the take.
  """
  path = pathlib.Path(path)
  take = [seed, EMOTIONS.index(emotion), actor, statement, 1]
  voice_rng, face_rng = map(np.random.default_rng, ([*take, 0], [*take, 1]))
  samples, opening = voice.speak(emotion, actor, statement, seconds, voice_rng)
  times = np.arange(max(1, round(seconds * fps))) / float(fps)
  blocks = np.arange(len(opening)) / voice.BLOCKS_PER_SECOND
  opening = np.interp(times, blocks, opening)
  poses = motion.act(emotion, times, opening, face_rng)
  frames: Iterable[np.ndarray] = map(_head(actor, size).draw, poses)
  if not face:
    frames = [np.asarray(face_lib.paint_wall(size))] * len(times)
  media.write_media(
    path, frames if video else None, size, fps, samples if audio else None
  )


# A corpus is written actor by actor.
@functools.lru_cache(maxsize=4)
def _head(actor: int, size: tuple[int, int]) -> face_lib.TalkingHead:
  return face_lib.TalkingHead(actor, size)
