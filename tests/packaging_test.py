"""Tests of the installed package, and of the cost of its import."""

import configparser
import pathlib
import subprocess
import sys

import pytest

import avemotion

ROOT = pathlib.Path(__file__).parents[1]


def test_what_the_package_offers_is_those_of_their_modules():
  from avemotion.features import clip
  from avemotion.recognition import recognizer
  from avemotion.training import weights

  assert avemotion.Recognizer is recognizer.Recognizer
  assert avemotion.extract is clip.extract
  assert avemotion.load_model is weights.load_model
  names = {'Recognizer', 'extract', 'load_model', '__version__'}
  assert names <= set(dir(avemotion))


def test_an_unknown_name_is_an_attribute_error():
  with pytest.raises(AttributeError, match="no attribute 'recogniser'"):
    avemotion.recogniser  # noqa: B018


def test_imports_load_no_more_than_they_need():
  script = (
    'import sys\n'
    'import avemotion\n'
    "assert not {'jax', 'numpy'} & set(sys.modules)\n"
    'import avemotion.models\n'
    "others = {'av', 'librosa', 'matplotlib', 'mediapipe', 'PIL'}\n"
    'assert not others & set(sys.modules)\n'
    'avemotion.extract, avemotion.Recognizer\n'
    "others = {'h5py', 'tensorflow', 'tensorflow_datasets', 'torch'}\n"
    'assert not others & set(sys.modules)\n'
  )
  subprocess.run([sys.executable, '-c', script], check=True)


@pytest.mark.slow
def test_recognition_imports_only_what_it_needs_and_leaves_mediapipe_whole():
  script = (
    'import sys, avemotion\n'
    'avemotion.Recognizer.from_checkpoint()\n'
    "others = {'cv2', 'librosa', 'matplotlib', 'optax', 'orbax'}\n"
    "assert not (others | {'tensorflow'}) & set(sys.modules)\n"
    'import mediapipe\n'
    'assert mediapipe.tasks.vision.FaceDetector and mediapipe.Image\n'
  )
  subprocess.run([sys.executable, '-c', script], check=True)


def test_every_package_is_listed():
  setup = configparser.ConfigParser()
  setup.read(ROOT / 'setup.cfg')
  package = pathlib.Path(avemotion.__file__).parent
  found = {
    '.'.join(path.parent.relative_to(package.parent).parts)
    for path in package.rglob('__init__.py')
  }
  found |= {'avemotion.configs', 'tfds_ravdess'}
  assert found == set(setup['options']['packages'].split())
