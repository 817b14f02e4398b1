"""Feature rows with time stamps, and sliding windows over them.

Models learn from clips of a few seconds, so a longer clip is recognised in
sliding windows. A modality counts as missing in a window without a voice or
without a face.
"""

import collections
import dataclasses
from collections.abc import Mapping
from typing import Self

import numpy as np

from avemotion.features.acoustic import Sound
from avemotion.features.clip import ClipFeatures
from avemotion.features.landmark_detector import MIN_CONFIDENCE

WINDOW_SECONDS = 6.0  # the longest RAVDESS clip has 5.3
HOP_SECONDS = 0.5
# A step counts as voice if it is louder than QUIETEST_VOICE_DB and rises above
# the quietest step of the last six seconds: speech pauses, noise and hum do
# not. The softest RAVDESS recording peaks at -53.5 dBFS (20 dB softer: -73.5);
# rooms are at about -80.
QUIETEST_VOICE_DB = -75.0
_LEAST_RISE_DB = 4.0  # steady noise stays within 2 dB of its minimum
_SHORTEST_VOICE = 0.1  # seconds
_NOTHING_DB = -95.0  # digital silence, excluded from the minimum
_TOLERANCE = 1e-6  # seconds; rounding of float32 time stamps


@dataclasses.dataclass(frozen=True)
class Track:
  """Rows of one modality, float32[steps, row_dim], with the time of each.

  `seconds`, float64[steps], is the time at which each row is complete, in
  ascending order. `evidence`, bool[steps], marks rows with a voice or a face.
  Rows are as the front end extracts them; `WindowClassifier.read` turns them
  into model inputs.
  """

  rows: np.ndarray
  seconds: np.ndarray
  evidence: np.ndarray

  @classmethod
  def of(cls, rows: np.ndarray) -> Self:
    """Returns a track of rows without times, all with evidence."""
    return cls(rows, np.zeros(len(rows)), np.ones(len(rows), bool))

  @classmethod
  def empty(cls, width: int) -> Self:
    """Returns a track without steps, `width` features wide."""
    return cls.of(np.zeros((0, width), np.float32))

  def __len__(self) -> int:
    return len(self.seconds)

  def __getitem__(self, steps: slice | np.ndarray) -> Self:
    return type(self)(*(column[steps] for column in vars(self).values()))

  def between(self, begin: float, end: float) -> Self:
    """Returns the steps in (`begin`, `end`], in seconds."""
    first, last = np.searchsorted(
      self.seconds, np.array([begin, end]) + _TOLERANCE, side='right'
    )
    return self[first:last]

  def joined(self, later: Self) -> Self:
    """Returns this track followed by a later one."""
    pairs = zip(vars(self).values(), vars(later).values(), strict=True)
    return type(self)(*map(np.concatenate, pairs))


Tracks = Mapping[str, Track]


def tracks_of(features: ClipFeatures) -> dict[str, Track]:
  """Returns the tracks of a clip's modalities, by name."""
  tracks = {}
  if features.video is not None:
    assert features.frame_seconds is not None
    assert features.face_found is not None
    seconds = features.frame_seconds.astype(np.float64)
    rows, evidence = features.video, features.face_found
    if features.landmarks is not None:
      assert features.landmark_confidence is not None
      rows = features.landmarks.reshape(len(seconds), -1)
      evidence = features.landmark_confidence >= MIN_CONFIDENCE
    tracks['video'] = Track(rows, seconds, evidence)
  if features.audio is not None:
    assert features.loudness is not None
    assert features.row_seconds is not None
    sound = Sound(features.audio, features.loudness, features.row_seconds)
    tracks['audio'] = VoiceDetector().push(sound)
  return tracks


class VoiceDetector:
  """Causal detector of the rows of sound that may contain a voice."""

  def __init__(self) -> None:
    # (seconds, loudness) of the rows that no later row undercuts.
    self._quiet: collections.deque[tuple[float, float]] = collections.deque()

  def push(self, sound: Sound) -> Track:
    """Returns the next rows as a track; `evidence` marks a possible voice."""
    rows = zip(sound.seconds.tolist(), sound.loudness.tolist(), strict=True)
    quietest = np.array([self._quietest(*row) for row in rows])
    rises = sound.loudness >= quietest + _LEAST_RISE_DB
    voiced = (sound.loudness >= QUIETEST_VOICE_DB) & rises
    return Track(sound.rows, sound.seconds, voiced)

  def _quietest(self, seconds: float, loudness: float) -> float:
    """Adds a row; returns the minimum loudness of the last six seconds."""
    if loudness < _NOTHING_DB:
      return loudness
    while self._quiet and self._quiet[-1][1] >= loudness:
      self._quiet.pop()
    self._quiet.append((seconds, loudness))
    while self._quiet[0][0] <= seconds - WINDOW_SECONDS:
      self._quiet.popleft()
    return self._quiet[0][1]


def end_of(tracks: Tracks) -> float:
  """Returns the time of the last row of all tracks, in seconds; 0 without."""
  return max(
    (track.seconds[-1] for track in tracks.values() if len(track)), default=0.0
  )


def window_ends(tracks: Tracks) -> np.ndarray:
  """Returns the ends of the windows, float64[windows], in seconds.

  Windows end every half second from 6 s on, and at the end of the clip.
  """
  end = end_of(tracks)
  whole = np.arange(WINDOW_SECONDS, end - _TOLERANCE, HOP_SECONDS)
  return np.append(whole, end)


def window(tracks: Tracks, end: float) -> dict[str, Track]:
  """Returns the window that ends at `end` seconds, a track per modality.

  A modality without a voice or a face in the window has no steps.
  """
  # Without a lower bound, the first window includes the first row.
  begin = end - WINDOW_SECONDS if end > WINDOW_SECONDS else -np.inf
  return evident({k: each.between(begin, end) for k, each in tracks.items()})


def evident(tracks: Tracks) -> dict[str, Track]:
  """Returns the tracks, emptied where they hold no voice or no face.

  A voice lasts at least 0.1 s; clicks and buzz are shorter.
  """
  least = {'audio': _SHORTEST_VOICE}
  return {
    k: each if _longest_evidence(each) >= least.get(k, 0.0) else each[:0]
    for k, each in tracks.items()
  }


def _longest_evidence(track: Track) -> float:
  """Returns the seconds from the first row of a run to its last; -1: none."""
  edges = np.flatnonzero(np.diff(track.evidence, prepend=False, append=False))
  first, last = edges[::2], edges[1::2] - 1
  spans = track.seconds[last] - track.seconds[first]
  return float(spans.max(initial=-1.0))
