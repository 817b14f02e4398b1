"""The peers in PyTorch, which the extra `peers` brings; only here."""

from collections.abc import Callable

import numpy as np
import torch

from launch.benchmark import cases

_DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


def recurrent(case: cases.Recurrent) -> Callable[[], object]:
  """A call that does a case once, by stacked `nn.GRU`."""
  layers = torch.nn.GRU(case.inputs, case.features, case.layers, bias=False)
  layers = layers.to(_DEVICE)
  samples = torch.from_numpy(case.samples()).to(_DEVICE)
  optimizer = torch.optim.SGD(layers.parameters(), cases.LEARNING_RATE)

  def forward() -> None:
    with torch.inference_mode():
      for batch in samples:
        layers(batch)
    _wait()

  def train() -> None:
    for batch in samples:
      optimizer.zero_grad()
      states, _ = layers(batch)
      (states**2).mean().backward()
      optimizer.step()
    _wait()

  return train if case.train else forward


def training(
  modalities: tuple[str, ...], num_folds: int
) -> Callable[[], object]:
  """A call that trains every fold for some steps, one fold after another."""
  features, labels = cases.clips(modalities, cases.STEPS * cases.BATCH)
  steps = [
    (
      {
        name: torch.from_numpy(rows)
        for name, rows in zip(features, own, strict=True)
      },
      torch.from_numpy(targets).long().to(_DEVICE),
    )
    for *own, targets in zip(
      *(np.split(rows, cases.STEPS) for rows in (*features.values(), labels)),
      strict=True,
    )
  ]
  folds = []
  for _ in range(num_folds):
    model = _Classifier(modalities).to(_DEVICE)
    optimizer = torch.optim.AdamW(
      model.parameters(), cases.LEARNING_RATE, weight_decay=cases.WEIGHT_DECAY
    )
    folds.append((model, optimizer))
  loss = torch.nn.CrossEntropyLoss(label_smoothing=cases.LABEL_SMOOTHING)

  def train() -> None:
    for model, optimizer in folds:
      for batch, targets in steps:
        optimizer.zero_grad()
        loss(model(batch), targets).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), cases.CLIP_NORM)
        optimizer.step()
    _wait()

  return train


def _wait() -> None:
  if _DEVICE == 'cuda':
    torch.cuda.synchronize()


class _TorchBranch(torch.nn.Module):
  """GRU layers, their last state, dense, batch norm."""

  def __init__(self, inputs: int, features: int, layers: int) -> None:
    super().__init__()
    drop = cases.DROPOUT_RATE if layers > 1 else 0.0
    self.gru = torch.nn.GRU(
      inputs, features, layers, bias=False, batch_first=True, dropout=drop
    )
    self.rest = torch.nn.Sequential(
      torch.nn.Dropout(cases.DROPOUT_RATE),
      torch.nn.Linear(features, cases.DENSE, bias=False),
      torch.nn.BatchNorm1d(cases.DENSE),
      torch.nn.Dropout(cases.DROPOUT_RATE),
    )

  def forward(self, rows: torch.Tensor) -> torch.Tensor:
    states, _ = self.gru(rows)
    found: torch.Tensor = self.rest(states[:, -1])
    return found


class _Classifier(torch.nn.Module):
  """As `avemotion.models.EmotionClassifier`."""

  def __init__(self, modalities: tuple[str, ...]) -> None:
    super().__init__()
    sizes = {
      'video': (cases.VIDEO_FEATURES, 1),
      'audio': (cases.AUDIO_FEATURES, cases.AUDIO_LAYERS),
    }
    self.branches = torch.nn.ModuleDict(
      {
        name: _TorchBranch(cases.SHAPES[name][1], *sizes[name])
        for name in modalities
      }
    )
    self.logits = torch.nn.Linear(
      len(modalities) * cases.DENSE, cases.NUM_CLASSES
    )

  def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    found = [branch(batch[name]) for name, branch in self.branches.items()]
    logits: torch.Tensor = self.logits(torch.cat(found, dim=-1))
    return logits
