"""Rows of features with time stamps, and windows of them.

Models learn from clips of some seconds, so that a longer one is recognised in
windows that slide over it. Where nobody speaks, or nobody is seen, in a window,
that modality is taken to be missing.
"""

import collections
import dataclasses
from collections.abc import Mapping
from typing import Self

import numpy as np

from avemotion.features.acoustic import Sound
from avemotion.features.clip import ClipFeatures
from avemotion.features.landmark_detector import MIN_CONFIDENCE

WINDOW_SECONDS = 6.0  # RAVDESS's longest clip has 5.3
HOP_SECONDS = 0.5
# Louder steps that rise above the quietest of the last six seconds are taken
# for a voice, which pauses and changes where noise and hum go on. The quietest
# of RAVDESS's recordings reaches -53.5 at its loudest, 20 dB softer -73.5;
# rooms are about -80.
QUIETEST_VOICE_DB = -75.0
_LEAST_RISE_DB = 4.0  # steady noise stays within 2 of its quietest
_SHORTEST_VOICE = 0.1  # seconds
_NOTHING_DB = -95.0  # a hole in the sound is not its quietest
_TOLERANCE = 1e-6  # seconds, of time stamps in float32


@dataclasses.dataclass(frozen=True)
class Track:
  """Rows of one modality, float32[steps, row_dim], with the time of each.

  `seconds` float64[steps] is when each is known, rising; `evidence` bool[steps]
  whether a voice is heard, or a face seen, in it. Rows are as the front end
  extracts them, until `WindowClassifier.read` describes them.
  """

  rows: np.ndarray
  seconds: np.ndarray
  evidence: np.ndarray

  @classmethod
  def of(cls, rows: np.ndarray) -> Self:
    """Returns a track of rows at any time."""
    return cls(rows, np.zeros(len(rows)), np.ones(len(rows), bool))

  @classmethod
  def empty(cls, width: int) -> Self:
    """Returns a track without steps, of so many features."""
    return cls.of(np.zeros((0, width), np.float32))

  def __len__(self) -> int:
    return len(self.seconds)

  def __getitem__(self, steps: slice | np.ndarray) -> Self:
    return type(self)(*(column[steps] for column in vars(self).values()))

  def between(self, begin: float, end: float) -> Self:
    """Returns the steps that become known after `begin`, by `end` (seconds)."""
    first, last = np.searchsorted(
      self.seconds, np.array([begin, end]) + _TOLERANCE, side='right'
    )
    return self[first:last]

  def joined(self, later: Self) -> Self:
    """Returns these steps and later ones."""
    pairs = zip(vars(self).values(), vars(later).values(), strict=True)
    return type(self)(*map(np.concatenate, pairs))


Tracks = Mapping[str, Track]


def tracks_of(features: ClipFeatures) -> dict[str, Track]:
  """Returns the tracks of the modalities that a clip has, by their names."""
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
  """Decides where sound may be a voice, by what was heard until then."""

  def __init__(self) -> None:
    # Seconds and loudness of rows of which no later one was quieter.
    self._quiet: collections.deque[tuple[float, float]] = collections.deque()

  def push(self, sound: Sound) -> Track:
    """Makes a track of the next rows; evidence is where a voice may be."""
    rows = zip(sound.seconds.tolist(), sound.loudness.tolist(), strict=True)
    quietest = np.array([self._quietest(*row) for row in rows])
    rises = sound.loudness >= quietest + _LEAST_RISE_DB
    voiced = (sound.loudness >= QUIETEST_VOICE_DB) & rises
    return Track(sound.rows, sound.seconds, voiced)

  def _quietest(self, seconds: float, loudness: float) -> float:
    """Takes a row; returns the least loudness of the six seconds until it."""
    if loudness < _NOTHING_DB:
      return loudness
    while self._quiet and self._quiet[-1][1] >= loudness:
      self._quiet.pop()
    self._quiet.append((seconds, loudness))
    while self._quiet[0][0] <= seconds - WINDOW_SECONDS:
      self._quiet.popleft()
    return self._quiet[0][1]


def end_of(tracks: Tracks) -> float:
  """Returns when the last row of all is known, in seconds; 0 of no rows."""
  return max(
    (track.seconds[-1] for track in tracks.values() if len(track)), default=0.0
  )


def window_ends(tracks: Tracks) -> np.ndarray:
  """Returns where windows end, float64[windows] seconds.

  Every half second from the first whole window on, and at the clip's end.
  """
  end = end_of(tracks)
  whole = np.arange(WINDOW_SECONDS, end - _TOLERANCE, HOP_SECONDS)
  return np.append(whole, end)


def window(tracks: Tracks, end: float) -> dict[str, Track]:
  """Returns the rows of the window that ends at some time (seconds).

  Tracks of the same modalities; without steps where nobody is heard or seen.
  """
  # The first window holds all of its clip, whatever the stamp of its first row.
  begin = end - WINDOW_SECONDS if end > WINDOW_SECONDS else -np.inf
  return evident({k: each.between(begin, end) for k, each in tracks.items()})


def evident(tracks: Tracks) -> dict[str, Track]:
  """Returns the tracks; without steps where nobody is heard or seen.

  A voice goes on for a tenth of a second; clicks and buzz rise for less.
  """
  least = {'audio': _SHORTEST_VOICE}
  return {
    k: each if _longest_evidence(each) >= least.get(k, 0.0) else each[:0]
    for k, each in tracks.items()
  }


def _longest_evidence(track: Track) -> float:
  """Returns the seconds from first to last of steps in a row; -1: none."""
  edges = np.flatnonzero(np.diff(track.evidence, prepend=False, append=False))
  first, last = edges[::2], edges[1::2] - 1
  spans = track.seconds[last] - track.seconds[first]
  return float(spans.max(initial=-1.0))
