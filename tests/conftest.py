"""Fixtures of all tests."""

import pathlib

import pytest

_SHARED = pathlib.Path(__file__).resolve().parents[2] / 'shared'


@pytest.fixture(scope='session')
def shared() -> pathlib.Path:
  """Real RAVDESS recordings and real faces, beside the repository."""
  if not (_SHARED / 'ravdess').is_dir():
    pytest.skip('no ../shared with real clips beside the repository')
  return _SHARED
