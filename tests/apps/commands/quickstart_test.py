"""Tests of `avemotion quickstart`."""

import pytest

from avemotion.apps.commands import quickstart


@pytest.mark.slow
def test_it_draws_prepares_trains_and_recognises(tmp_path, monkeypatch, capsys):
  monkeypatch.setattr(quickstart, '_ACTORS', (1, 2))
  assert quickstart.main([f'--workdir={tmp_path}']) == 0
  printed = capsys.readouterr().out
  for stage in ('1/4', '2/4', '3/4', '4/4'):
    assert stage in printed
  assert f'all files are in {tmp_path}.' in printed
  assert len(list(tmp_path.glob('fold_*/result.json'))) == 10
  assert (tmp_path / 'confusion.png').stat().st_size
  (picture,) = tmp_path.glob('*.timeline.png')
  assert f'timeline: {picture}' in printed
