"""The peers in PyTorch, which the extra `peers` brings."""

from collections.abc import Callable

import torch
from torch import nn

from launch.benchmark import cases

_DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
_OPTIMIZER = cases.CONFIG.optimizer
_DROPOUT, _DENSE = (
  cases.CONFIG.model.dropout_rate,
  cases.CONFIG.model.dense_features,
)


def recurrent(case: cases.Recurrent) -> Callable[[], object]:
  """A call that does a case once, by stacked `nn.GRU`."""
  layers = nn.GRU(case.inputs, case.features, case.layers, bias=False)
  layers = layers.to(_DEVICE)
  samples = torch.from_numpy(case.samples()).to(_DEVICE)
  optimizer = torch.optim.SGD(layers.parameters(), _OPTIMIZER.learning_rate)

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
  batches = {
    name: torch.from_numpy(rows).split(cases.BATCH)
    for name, rows in features.items()
  }
  targets = torch.from_numpy(labels).long().to(_DEVICE).split(cases.BATCH)
  models = [_Classifier(modalities).to(_DEVICE) for _ in range(num_folds)]
  folds = [
    (
      model,
      torch.optim.AdamW(
        model.parameters(),
        _OPTIMIZER.learning_rate,
        weight_decay=_OPTIMIZER.weight_decay,
      ),
    )
    for model in models
  ]
  loss = nn.CrossEntropyLoss(label_smoothing=_OPTIMIZER.label_smoothing)

  def train() -> None:
    for model, optimizer in folds:
      for step in range(cases.STEPS):
        optimizer.zero_grad()
        batch = {name: rows[step].to(_DEVICE) for name, rows in batches.items()}
        loss(model(batch), targets[step]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), _OPTIMIZER.clip_norm)
        optimizer.step()
    _wait()

  return train


def _wait() -> None:
  if _DEVICE == 'cuda':
    torch.cuda.synchronize()


class _TorchBranch(nn.Module):
  """GRU layers, their last state, dense, batch norm."""

  def __init__(self, inputs: int, layers: int, units: int) -> None:
    super().__init__()
    drop = _DROPOUT if layers > 1 else 0.0
    self.gru = nn.GRU(
      inputs, units, layers, bias=False, batch_first=True, dropout=drop
    )
    self.rest = nn.Sequential(
      nn.Dropout(_DROPOUT),
      nn.Linear(units, _DENSE, bias=False),
      nn.BatchNorm1d(_DENSE),
      nn.Dropout(_DROPOUT),
    )

  def forward(self, rows: torch.Tensor) -> torch.Tensor:
    states, _ = self.gru(rows)
    found: torch.Tensor = self.rest(states[:, -1])
    return found


class _Classifier(nn.Module):
  """As `avemotion.models.EmotionClassifier`."""

  def __init__(self, modalities: tuple[str, ...]) -> None:
    super().__init__()
    self.branches = nn.ModuleDict(
      {
        name: _TorchBranch(cases.SHAPES[name][1], *cases.LAYERS[name])
        for name in modalities
      }
    )
    self.logits = nn.Linear(len(modalities) * _DENSE, cases.NUM_CLASSES)

  def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    found = [branch(batch[name]) for name, branch in self.branches.items()]
    logits: torch.Tensor = self.logits(torch.cat(found, dim=-1))
    return logits
