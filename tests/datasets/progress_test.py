import pytest

from avemotion.datasets import progress


@pytest.mark.parametrize('terminal', ['0', '1'])
def test_clips_done_are_shown_on_standard_error(capsys, monkeypatch, terminal):
  monkeypatch.setenv('TTY_INTERACTIVE', terminal)
  with progress.clip_progress() as update:
    update(1, 3)
    update(3, 3)
  out, err = capsys.readouterr()
  assert out == ''
  assert '3/3 clips' in err.splitlines()[-1]


def test_nothing_done_shows_nothing(capsys):
  with progress.clip_progress():
    pass
  assert capsys.readouterr().err.strip() == ''
