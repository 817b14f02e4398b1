r"""Our best model of faces and voices, the recipe of the one that ships.

  avemotion prepare --landmarks=LANDMARKS.npz --recordings=RAVDESS_AUDIO \
    --copies=2 --output=runs/ravdess_speech.npz
  avemotion prepare --folder=NEMO --pattern=nemo --config=speech_encoder
  avemotion train --config=speech_best

Landmarks as in landmarks_best.py; speech by the first blocks of Whisper's
encoder, of RAVDESS and of nEMO (Polish), whose clips are only trained on. The
mean and the std of what a branch reads pass by its GRU layer; the voice has
none, for the encoder has seen the whole clip, and a GRU layer on it learns the
training speakers by heart. Each branch learns from its own loss alone, and the
face counts half as much as the voice. Speakers' means are exchanged; copies
with another vocal tract, microphone and noise are trained on. A clip far from
the training clips is doubted. Chosen on validation actors (docs/log.md).

Cost: five minutes of one CPU core for the five folds of actor5.
Expect: docs/results.md.
"""

from avemotion.training import config_files
from avemotion.training.config import Config, update


def get_config() -> Config:
  """The configuration."""
  landmarks = config_files.load_config('landmarks_best', {})
  both = {'skip': True, 'doubt': 1.0}
  return update(
    Config(),
    {
      'data': {
        'dataset': 'runs/ravdess_speech.npz+nemo/speech_encoder',
        'protocol': 'actor5',
        'validation': 'trained',
      },
      'model': {
        'video': {'features': 128, **both},
        'audio': {'num_layers': 0, 'num_inputs': None, **both},
        'pooling': ('mean', 'std'),
        'dense_features': 128,
        'dropout_rate': 0.5,
        'video_weight': 0.5,
      },
      'augment': {
        'video': vars(landmarks.augment.video),
        'audio': {'exchange': 1.0},
        'mixup': 0.2,
      },
      'optimizer': {'joint_loss': 0.0, 'branch_loss': 1.0},
      'epochs': 20,
      'batch_size': 64,
    },
  )
