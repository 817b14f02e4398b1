"""Tests of `avemotion live` on files; see tests/apps/live_test.py."""

import pytest

from avemotion.apps.commands import live
from avemotion.recognition.recognizer import Recognizer
from avemotion.synthetic import corpus


def test_a_file_ends_in_what_is_recognised_of_all_of_it(tmp_path, capsys):
  path = tmp_path / 'clip.mp4'
  corpus.make_clip(path, 'happy', actor=2, seconds=1.5)
  assert live.main([str(path), '--fast']) == 0
  printed = capsys.readouterr()
  assert "audio (Whisper's encoder), trained on 24" in printed.err
  prediction = Recognizer.from_checkpoint().predict(path)
  first, *bars, speed = printed.out.splitlines()[-11:]
  assert first.endswith(f' s  {prediction.label}')
  for name, share in prediction.probabilities.items():
    assert any(line.split()[:2] == [name, f'{share:.1%}'] for line in bars), (
      name
    )
  assert ' × ' in f'{speed} '


@pytest.mark.parametrize(
  ('arguments', 'message'),
  [
    (['a.mp4', 'b.mp4'], 'expected at most one clip, got 2'),
    (['none.mp4', '--fast'], 'none.mp4: no such file'),
    (['--checkpoint=nowhere'], 'no such checkpoint directory'),
  ],
)
def test_bad_input_is_told(arguments, message, capsys):
  assert live.main(arguments) == 1
  *_, line = capsys.readouterr().err.splitlines()
  assert line.startswith('avemotion live: ')
  assert message in line
