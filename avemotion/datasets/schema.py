"""Fields of a data set of clips, with their dtypes and shapes."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from avemotion.features.front_ends import (
  CROPS,
  FRONT_ENDS,
  LANDMARKS,
  MFCC,
  SPEECH,
  VGG16,
)
from avemotion.features.landmarks import NUM_POINTS

_CROP_SHAPE = (48, 48, 3)  # section III-B of the paper


@dataclasses.dataclass(eq=False, kw_only=True)
class ClipsConfig(tfds.core.BuilderConfig):
  """Configuration of the stored features, in the order of the modalities.

  `video` is a front end, 'vgg16' or 'landmarks', or 'crops', pixels of the
  faces. `audio` is 'mfcc' or 'speech'.
  """

  modalities: tuple[str, ...] = ('video', 'audio')
  video: str = VGG16.name
  audio: str = MFCC.name
  audio_dtype: type[np.floating] = np.float32
  channel: str = 'speech'  # Or RAVDESS's 'song'.


# Configurations of any data set of clips.
CONFIGS = {
  'speech': ClipsConfig(
    name='speech', description='VGG16 features of the face, and MFCC.'
  ),
  'speech_audio': ClipsConfig(
    name='speech_audio', description='MFCC only.', modalities=('audio',)
  ),
  'speech_landmarks': ClipsConfig(
    name='speech_landmarks',
    description='68 landmarks of the face, their features, and MFCC.',
    video=LANDMARKS.name,
  ),
  'speech_encoder': ClipsConfig(
    name='speech_encoder',
    description="Features of speech by Whisper's encoder, in float16.",
    modalities=('audio',),
    audio=SPEECH.name,
    audio_dtype=np.float16,
  ),
  'speech_faces': ClipsConfig(
    name='speech_faces',
    description='48×48 crops of the face for other backbones, and MFCC.',
    video=CROPS,
  ),
}


def features(
  config: ClipsConfig, facts: dict[str, Any]
) -> tuple[tfds.features.FeaturesDict, tuple[Any, str]]:
  """Returns TFDS's features and supervised keys of a data set.

  `facts` are the TFDS features of the clips' facts, among them `label`.
  """
  held: dict[str, Any] = {}
  if 'video' in config.modalities:
    held |= {
      'face_found': _tensor((None,), np.bool_),
      'face_box': _tensor((None, 4), np.float32),
      'face_score': _tensor((None,), np.float32),
      'frame_seconds': _tensor((None,), np.float32),
      'video_seconds': np.float32,
    }
    if config.video == CROPS:
      held['crops'] = _tensor((None, *_CROP_SHAPE), np.uint8)
    else:
      dim = FRONT_ENDS[config.video].dim
      held['video'] = _tensor((None, dim), np.float32)
    if config.video == LANDMARKS.name:
      held['landmarks'] = _tensor((None, NUM_POINTS, 2), np.float32)
      held['landmark_confidence'] = _tensor((None,), np.float32)
  if 'audio' in config.modalities:
    held |= {
      'audio': _tensor(
        (None, FRONT_ENDS[config.audio].dim), config.audio_dtype
      ),
      'audio_seconds': np.float32,
    }
  held |= {'actor': np.int32, 'clip_id': tfds.features.Text(), **facts}
  as_stored = {'video': CROPS} if config.video == CROPS else {}
  inputs = {name: as_stored.get(name, name) for name in config.modalities}
  only = inputs if len(inputs) > 1 else next(iter(inputs.values()))
  return tfds.features.FeaturesDict(held), (only, 'label')


def _tensor(shape: tuple[int | None, ...], dtype: Any) -> tfds.features.Tensor:
  return tfds.features.Tensor(shape=shape, dtype=dtype, encoding='zlib')
