"""Patterns of file names that contain a clip's label and speaker."""

import dataclasses
import functools
import pathlib
import re
from collections.abc import Mapping

from avemotion.datasets.clips import DatasetError

# Facts that every clip needs: its label and its speaker.
REQUIRED = ('label', 'group')
# Suffixes of media files, in order of preference for one clip.
SUFFIXES = (
  *('.mp4', '.mov', '.mkv', '.webm', '.avi', '.flv', '.mpg', '.mpeg', '.wmv'),
  *('.wav', '.flac', '.ogg', '.opus', '.m4a', '.mp3'),
)
_FIELD = re.compile(r'\{(\w+)(?::([^{}]+))?\}')
_PLAIN = '[^/]+?'  # A field without a rule: the shortest text that matches.


@dataclasses.dataclass(frozen=True)
class NamePattern:
  """Rule for the names of clips.

  Attributes:
    patterns: such as '{group}-{statement}-{label}_{take}.mp4'; the first one
      that matches is used. A field matches any text without '/', and
      '{take:[0-9]+}' a regular expression. A pattern may contain folders,
      '{group}/{label}{take}'. Without a suffix it matches any of `SUFFIXES`.
    label_map: all labels, by their text in names; empty if names contain the
      labels themselves.
  """

  patterns: tuple[str, ...]
  label_map: Mapping[str, str]

  def read(self, below: str) -> tuple[str, dict[str, str]] | None:
    """Reads a file's name, given by its path below the folder of the clips.

    Returns the clip's id, which is the part that matches without the suffix,
    and the fields with the label mapped; None if no pattern matches.

    Raises:
      DatasetError: a pattern lacks the label or the group, or cannot be used.
    """
    suffix = pathlib.PurePosixPath(below).suffix
    for rule, wanted in self._rules:
      match = rule.search(below.removesuffix(suffix))
      if not match or wanted not in ('', suffix.lower()):
        continue
      fields = match.groupdict()
      label = fields['label']
      if not self.label_map or label in self.label_map:
        return match[0], fields | {'label': self.label_map.get(label, label)}
    return None

  @functools.cached_property
  def _rules(self) -> list[tuple[re.Pattern[str], str]]:
    return [_compile(one, self.label_map) for one in self.patterns]


def named(pattern: str, label_map: str = '') -> NamePattern:
  """Makes a rule from a key of `KNOWN`, or from a pattern of `NamePattern`.

  `label_map` is text such as '01=neutral,02=sad', or empty.

  Raises:
    DatasetError: the pattern or the map cannot be used.
  """
  made = KNOWN.get(pattern, NamePattern((pattern,), {}))
  if label_map:
    made = NamePattern(made.patterns, _read_map(label_map))
  made.read('')  # Raises if the pattern cannot be used.
  return made


def _read_map(text: str) -> dict[str, str]:
  pairs = [pair.split('=') for pair in text.split(',')]
  if not all(len(pair) == 2 and all(pair) for pair in pairs):
    raise DatasetError(
      f'expected a label map such as 01=neutral,02=sad, got {text!r}'
    )
  labels = {code.strip(): label.strip() for code, label in pairs}
  if len(labels) < len(pairs):
    raise DatasetError(
      f'expected a label map with each text once, got {text!r}'
    )
  return labels


def _compile(
  pattern: str, label_map: Mapping[str, str]
) -> tuple[re.Pattern[str], str]:
  """Makes a regular expression without the suffix; returns both."""
  suffix = pathlib.PurePosixPath(pattern).suffix.lower()
  suffix = suffix if suffix in SUFFIXES else ''
  stem = pattern[: len(pattern) - len(suffix)]
  # The longer first: 'sa' is not 'a'.
  codes = '|'.join(sorted(map(re.escape, label_map), key=len, reverse=True))
  usual = {'label': codes or _PLAIN}
  # Text, then each field's name, its rule or None, and the text behind it.
  start, *parts = _FIELD.split(stem)
  names = parts[::3]
  absent = [name for name in REQUIRED if name not in names]
  if absent:
    raise DatasetError(
      'expected a pattern such as {group}-{statement}-{label}_{take}.mp4, got'
      f' {pattern!r} without {{{"} and {".join(absent)}}}'
    )
  expression = f'(?:^|(?<=/)){re.escape(start)}'
  rules = [
    rule or usual.get(name, _PLAIN)
    for name, rule in zip(names, parts[1::3], strict=True)
  ]
  fields = zip(names, rules, [*rules[1:], ''], parts[2::3], strict=True)
  for name, rule, following, text in fields:
    field = f'(?P<{name}>{rule}){re.escape(text)}'
    # If two such fields follow each other, a longer first one only shortens the
    # second: no backtracking keeps the time linear.
    unlimited = rule == following == _PLAIN
    expression += f'(?>{field})' if unlimited else field
  try:
    return re.compile(f'{expression}$'), suffix
  except re.error as error:
    raise DatasetError(
      f'expected a pattern with valid regular expressions, got {pattern!r}:'
      f' {error}'
    ) from error


# Rules of public data sets.
KNOWN = {
  # Cao et al. 2014: actor, sentence, emotion, level, as 1001_DFA_ANG_XX.
  'crema_d': NamePattern(
    ('{group:[0-9]+}_{statement}_{label}_{intensity}',),
    _read_map(
      'NEU=neutral,HAP=happy,SAD=sad,ANG=angry,FEA=fearful,DIS=disgust'
    ),
  ),
  # Christop 2024, Polish: speaker, emotion, sentence, as EB0_anger_17.
  'nemo': NamePattern(
    ('{group}_{label}_{statement}',),
    _read_map(
      'neutral=neutral,happiness=happy,sadness=sad,anger=angry,fear=fearful,'
      'surprised=surprised'
    ),
  ),
  # Haq & Jackson 2009: as DC/sa01; in mirrors, one folder, as DC_sa01.
  'savee': NamePattern(
    (
      '{group:DC|JE|JK|KL}/{label}{take:[0-9]+}',
      '{group:DC|JE|JK|KL}_{label}{take:[0-9]+}',
    ),
    _read_map(
      'n=neutral,h=happy,sa=sad,a=angry,f=fearful,d=disgust,su=surprised'
    ),
  ),
}
