r"""Our best model of faces and voices, the recipe of the one that ships.

  avemotion prepare --landmarks=LANDMARKS.npz --recordings=RAVDESS_AUDIO \
    --copies=2 --output=runs/ravdess_speech.npz
  avemotion prepare --folder=NEMO --pattern=nemo --config=speech_encoder
  avemotion train --config=speech_best

Landmarks are those of landmarks_best.py; speech features are the first blocks
of Whisper's encoder, of RAVDESS and of nEMO (Polish), which is for training
only. The mean and the standard deviation of a branch's inputs bypass its GRU
layer. The voice has no GRU layer, which would overfit the training speakers.
Each branch trains on its own loss only, and the face's vector counts half.
Augmentation exchanges speakers' means, and adds copies with another vocal
tract, microphone and noise. Clips far from the training clips count less
(`doubt`). Chosen on validation actors (docs/log.md).

Cost: five minutes on one CPU core for the five folds of actor5.
Expect: docs/results.md.
"""

from avemotion.training import config_files
from avemotion.training.config import Config, update


def get_config() -> Config:
  """Returns the configuration."""
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
