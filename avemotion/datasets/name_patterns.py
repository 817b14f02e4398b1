"""What the names of clips say, for data sets whose names say it."""

import dataclasses
import functools
import pathlib
import re
from collections.abc import Mapping

from avemotion.datasets.clips import DatasetError

# What every clip must say: what is felt in it, and who speaks.
SPOKEN = ('label', 'group')
# Of two files that are one clip, the first of these is used.
SUFFIXES = (
  *('.mp4', '.mov', '.mkv', '.webm', '.avi', '.flv', '.mpg', '.mpeg', '.wmv'),
  *('.wav', '.flac', '.ogg', '.opus', '.m4a', '.mp3'),
)
_FIELD = re.compile(r'\{(\w+)(?::([^{}]+))?\}')


@dataclasses.dataclass(frozen=True)
class NamePattern:
  """How clips are named.

  Attributes:
    patterns: such as '{group}-{statement}-{label}_{take}.mp4'; the first that
      fits a file counts. A field is whatever stands there, but no '/';
      '{take:[0-9]+}' says what it may be. Folders can be part of it:
      '{group}/{label}{take}'. Without a suffix any of the usual ones is meant.
    label_map: what a name says -> the label, for all labels there are; empty
      where names say the label itself.
  """

  patterns: tuple[str, ...]
  label_map: Mapping[str, str]

  def read(self, below: str) -> tuple[str, dict[str, str]] | None:
    """What a file's name says.

    Args:
      below: its path below the folder of the clips.

    Returns:
      The part that the pattern fits, less the suffix, which is the clip's id;
      and the fields, the label by its own name. None: it fits none.

    Raises:
      DatasetError: a pattern lacks the label or the group, or cannot be used.
    """
    suffix = pathlib.PurePosixPath(below).suffix
    for rule, wanted in self._rules:
      match = rule.search(below.removesuffix(suffix))
      if not match or wanted not in ('', suffix.lower()):
        continue
      fields = match.groupdict()
      if not self.label_map:
        return match[0], fields
      if fields['label'] in self.label_map:
        return match[0], fields | {'label': self.label_map[fields['label']]}
    return None

  @functools.cached_property
  def _rules(self) -> list[tuple[re.Pattern[str], str]]:
    return [_compile(one, self.label_map) for one in self.patterns]


# Data sets by name.
KNOWN = {
  # Cao et al. 2014: actor, sentence, emotion, level, as 1001_DFA_ANG_XX.
  'crema_d': NamePattern(
    ('{group:[0-9]+}_{statement}_{label}_{intensity}',),
    {
      'NEU': 'neutral',
      'HAP': 'happy',
      'SAD': 'sad',
      'ANG': 'angry',
      'FEA': 'fearful',
      'DIS': 'disgust',
    },
  ),
  # Haq & Jackson 2009: as DC/sa01; mirrors have it in one folder, as DC_sa01.
  'savee': NamePattern(
    (
      '{group:DC|JE|JK|KL}/{label}{take:[0-9]+}',
      '{group:DC|JE|JK|KL}_{label}{take:[0-9]+}',
    ),
    {
      'n': 'neutral',
      'h': 'happy',
      'sa': 'sad',
      'a': 'angry',
      'f': 'fearful',
      'd': 'disgust',
      'su': 'surprised',
    },
  ),
}


def named(pattern: str, label_map: str = '') -> NamePattern:
  """A pattern as a user writes it.

  Args:
    pattern: a key of `KNOWN`, or one as of `NamePattern`.
    label_map: '01=neutral,02=sad', or nothing.

  Raises:
    DatasetError: the pattern or the map cannot be used.
  """
  if pattern in KNOWN and not label_map:
    return KNOWN[pattern]
  patterns = KNOWN[pattern].patterns if pattern in KNOWN else (pattern,)
  pairs = [pair.split('=') for pair in label_map.split(',')]
  if not label_map:
    pairs = []
  if not all(len(pair) == 2 and all(pair) for pair in pairs):
    raise DatasetError(
      f'expected a label map such as 01=neutral,02=sad, got {label_map!r}'
    )
  labels = {said.strip(): label.strip() for said, label in pairs}
  if len(labels) < len(pairs):
    raise DatasetError(f'the label map {label_map!r} says something twice')
  mine = NamePattern(patterns, labels)
  mine.read('')  # Tells what is wrong with it, if there is.
  return mine


def _compile(
  pattern: str, label_map: Mapping[str, str]
) -> tuple[re.Pattern[str], str]:
  """A pattern as a regular expression without suffix, and its suffix."""
  suffix = pathlib.PurePosixPath(pattern).suffix.lower()
  suffix = suffix if suffix in SUFFIXES else ''
  stem = pattern[: len(pattern) - len(suffix)]
  # The longer first: 'sa' does not say 'a'.
  codes = sorted(map(re.escape, label_map), key=len, reverse=True)
  expression, end, names = '(?:^|(?<=/))', 0, []
  for field in _FIELD.finditer(stem):
    name, rule = field.groups()
    if rule is None:
      rule = '|'.join(codes) if name == 'label' and codes else '[^/]+?'
    names.append(name)
    expression += re.escape(stem[end : field.start()])
    expression += f'(?P<{name}>{rule})'
    end = field.end()
  absent = [name for name in SPOKEN if name not in names]
  if absent:
    raise DatasetError(
      f'the pattern {pattern!r} does not say {{{"} and {".join(absent)}}}:'
      ' expected one such as {group}-{statement}-{label}_{take}.mp4'
    )
  try:
    return re.compile(f'{expression}{re.escape(stem[end:])}$'), suffix
  except re.error as error:
    raise DatasetError(
      f'the pattern {pattern!r} cannot be used: {error}'
    ) from error
