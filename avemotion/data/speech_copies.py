"""Features of clips by Whisper's encoder, and changed copies for training.

Unlike MFCC, the encoder's features cannot be augmented directly. Instead,
pitch, microphone and noise are changed in the spectrogram. Each copy is another
clip of the data set, see `ClipSet.divided`.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping

import numpy as np

from avemotion.data import clips as clips_lib
from avemotion.data.clips import COPY, ClipSet
from avemotion.features import media, speech
from avemotion.features.front_ends import SPEECH


def encode(
  clips: ClipSet,
  files: Mapping[str, str | os.PathLike[str]],
  copies: int = 0,
  on_progress: Callable[[int, int], None] | None = None,
) -> ClipSet:
  """Replaces a data set's audio by features of Whisper's encoder.

  Args:
    clips: data set, whose labels, actors and video are kept.
    files: media file of each clip, by its id.
    copies: number of changed copies of each clip to add, with the same video.
    on_progress: called with the number of clips done and that of all.

  Raises:
    ValueError: a clip has no file, or one that cannot be read.
  """
  missing = [clip for clip in clips.clip_ids.tolist() if clip not in files]
  if missing:
    raise ValueError(
      f'expected a recording of each clip, got none of {missing[0]} and'
      f' {len(missing) - 1} others'
    )
  heard: list[list[np.ndarray]] = [[] for _ in range(copies + 1)]
  for number, clip in enumerate(clips.clip_ids.tolist()):
    rows = speech.log_mel(media.read_waveform(files[clip]))
    known = np.ones(len(rows), bool)
    heard[0].append(speech.describe(rows, known)[0])
    for copy in range(1, copies + 1):
      rng = np.random.default_rng([number, copy])
      heard[copy].append(speech.describe(change(rows, rng), known)[0])
    if on_progress:
      on_progress(number + 1, len(clips))
  audio, lengths = clips_lib.pad([row for rows in heard for row in rows])
  audio = audio.astype(np.float16)  # As in the TFDS data set.
  of_all = np.tile(np.arange(len(clips)), copies + 1)
  changed = np.arange(len(of_all)) >= len(clips)
  ids = clips.clip_ids.astype(object)[of_all]
  ids[changed] += [f'{COPY}{i // len(clips)}' for i in np.flatnonzero(changed)]
  features = {name: rows[of_all] for name, rows in clips.features.items()}
  return dataclasses.replace(
    clips,
    features=features | {'audio': audio},
    lengths={name: rows[of_all] for name, rows in clips.lengths.items()}
    | {'audio': lengths},
    labels=clips.labels[of_all],
    actors=clips.actors[of_all],
    clip_ids=ids.astype(str),
    sources={**clips.sources, 'audio': SPEECH.source},
  )


def change(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  """Changes a spectrogram at random, float32[rows, 80] of `speech.log_mel`.

  Vocal tract: frequencies are scaled by 0.88 to 1.14. Microphone, with
  probability 0.5: attenuation by up to 80 dB below 0 to 400 Hz and above 3 to
  8 kHz. Noise, with probability 0.7: 0 to 25 dB below the voice, falling by 0
  to 6 dB per octave.
  """
  hertz = speech.band_hertz()
  changed = _warped(rows.astype(np.float64), hertz, rng.uniform(0.88, 1.14))
  if rng.random() < 0.5:
    low, high = rng.uniform(0, 400), 3000 * (8 / 3) ** rng.random()
    weaker = np.maximum((low - hertz) / 50, 0)
    weaker = weaker + np.maximum((hertz - high) / 200, 0)
    changed = changed - np.minimum(weaker, rng.uniform(3, 8))
  if rng.random() < 0.7:
    changed = _noisy(changed, hertz, rng.uniform(0, 25), rng.uniform(0, 2), rng)
  return changed.astype(np.float32)


def _warped(rows: np.ndarray, hertz: np.ndarray, factor: float) -> np.ndarray:
  read = np.interp(hertz / factor, hertz, np.arange(len(hertz)))
  below = read.astype(int)
  share = read - below
  above = np.minimum(below + 1, len(hertz) - 1)
  return rows[:, below] * (1 - share) + rows[:, above] * share


def _noisy(
  rows: np.ndarray,
  hertz: np.ndarray,
  ratio: float,
  slope: float,
  rng: np.random.Generator,
) -> np.ndarray:
  power = 10.0**rows
  total = power.sum(axis=-1)
  voice = total[total >= total.max() / 1000].mean()
  noise = np.maximum(hertz, 60) ** -slope
  noise *= voice * 10 ** (-ratio / 10) / noise.sum()
  # A band's noise power fluctuates as a sum of a few squared samples.
  return np.log10(power + noise * rng.gamma(3, 1 / 3, power.shape))
