"""A corpus that needs no download: talking heads, drawn and spoken on the spot.

The clips are named, laid out and coded as RAVDESS's are, so that tests and the
quick start run the whole chain, from files to a trained model, in a minute.
They are cartoons: an accuracy measured on them says that the chain works, and
nothing about how well emotions are recognised.
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
  """Writes `root/Actor_01/01-01-05-01-01-01-01.mp4` and its like.

  Clips that exist are kept, so a run that was killed goes on where it stopped.
  `progress` is called with the path of each clip that was written; the other
  arguments are as for `make_clip`. Returns the path of every clip asked for,
  written now or before, in order.
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
  """Names a clip as RAVDESS does: picture and sound, speech, normal intensity.

  An emotion that does not exist raises `ValueError`.
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
  """Writes one clip, or one that lacks something, to see how a reader takes it.

  The path's ending (.mp4, .mkv, .webm, .avi, .mpg or .wav) chooses container
  and codecs. The clip appears under its name only once it is whole; until then
  it is `.NAME.part` beside it. The same arguments give the same clip. `video`
  and `audio` say whether there are these tracks, `face` whether somebody is in
  the picture.

  The emotion is one of `avemotion.emotions.EMOTIONS`; odd actors of 1 to 24 are
  men, even ones women; statements are 1 and 2; the size is width and height in
  pixels, both even. .mpg takes television's rates only, .mp4 any `fps`.
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


# An actor's clips follow one another in a corpus.
@functools.lru_cache(maxsize=4)
def _head(actor: int, size: tuple[int, int]) -> face_lib.TalkingHead:
  return face_lib.TalkingHead(actor, size)
