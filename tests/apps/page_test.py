"""The page refuses what it cannot serve; launch/demo_test.py looks at it."""

import sys

import pytest

from avemotion.apps import commands, page


@pytest.mark.parametrize('limit', ['max_megabytes', 'max_seconds'])
def test_limits_that_no_clip_meets_are_refused(limit, capsys):
  assert commands.main(['demo', f'--{limit}=0']) == 1
  assert limit in capsys.readouterr().err


def test_without_gradio_it_is_told_what_to_install(tmp_path, monkeypatch):
  monkeypatch.setenv('GRADIO_TEMP_DIR', '')
  monkeypatch.setenv('GRADIO_ANALYTICS_ENABLED', '')
  monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
  monkeypatch.setitem(sys.modules, 'gradio', None)
  with pytest.raises(ValueError, match=r"pip install 'avemotion\[demo\]'"):
    page.serve(None, {}, host='127.0.0.1', port=7860, megabytes=1, seconds=1.0)
  assert not list(tmp_path.iterdir())
