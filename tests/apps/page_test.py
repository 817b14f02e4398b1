"""The page refuses what it cannot serve; launch/demo_test.py looks at it."""

import sys

import pytest

from avemotion.apps import page


@pytest.mark.parametrize('limit', [{'megabytes': 0}, {'seconds': 0.0}])
def test_limits_that_no_clip_meets_are_refused(limit):
  with pytest.raises(ValueError, match='above 0'):
    page.Limits(**limit)


def test_without_gradio_it_is_told_what_to_install(tmp_path, monkeypatch):
  monkeypatch.setenv('GRADIO_TEMP_DIR', '')
  monkeypatch.setenv('GRADIO_ANALYTICS_ENABLED', '')
  monkeypatch.setattr('tempfile.tempdir', str(tmp_path))
  monkeypatch.setitem(sys.modules, 'gradio', None)
  with pytest.raises(ValueError, match=r"pip install 'avemotion\[demo\]'"):
    page.serve(None, {}, host='127.0.0.1', port=7860, limits=page.Limits())
  assert not list(tmp_path.iterdir())
