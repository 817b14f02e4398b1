import re

import pytest

from avemotion.datasets import progress


def test_lines_say_how_far_and_how_long(capsys, monkeypatch):
  clock = iter([0.0, 5.0, 12.0, 13.0, 20.0])
  monkeypatch.setattr(progress.time, 'monotonic', lambda: next(clock))
  with progress.clip_progress() as update:
    for done in (50, 120, 130, 1440):
      update(done, 1440)
  out, err = capsys.readouterr()
  assert out == ''
  assert err.splitlines() == [
    '120/1440 clips, 10.0 clips/s, ETA 2:12',
    '1440/1440 clips, 72.0 clips/s, ETA 0:00',
  ]


@pytest.mark.parametrize('clips', [3])
def test_a_terminal_gets_one_bar(capsys, monkeypatch, clips):
  monkeypatch.setenv('FORCE_COLOR', '1')
  monkeypatch.setenv('COLUMNS', '100')
  with progress.clip_progress() as update:
    for done in range(clips):
      update(done + 1, clips)
  plain = re.sub(r'\x1b\[[\d;?]*[A-Za-z]', '', capsys.readouterr().err)
  last = plain.strip().splitlines()[-1]
  assert '3/3 clips' in last
  assert 'clips/s' in last
