"""Contenders in PyTorch; needs the extra `peers`.

`torch.compile` leaves `nn.GRU` as it is, and compiles what is around it. With
`torch._dynamo.config.allow_rnn` it takes the layer too, and unrolls its loop
over time: that compiles for minutes, and the result is no faster.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from launch.benchmark import cases

_DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
_OPTIMIZER = cases.CONFIG.optimizer
_DROPOUT = cases.CONFIG.model.dropout_rate
_DENSE = cases.CONFIG.model.dense_features


def recurrent(
  case: cases.Recurrent, compiled: bool = False
) -> Callable[[], object]:
  """Makes a call that runs a case once, by stacked `nn.GRU`.

  `compiled` passes the layers through `torch.compile`.
  """
  gru = nn.GRU(case.inputs, case.features, case.layers, bias=False)
  layers = _compiled(gru.to(_DEVICE), compiled)
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
  modalities: tuple[str, ...], num_folds: int, compiled: bool = False
) -> Callable[[], object]:
  """Makes a call that trains all folds for some steps, one after another.

  `compiled` passes the models through `torch.compile`.
  """
  features, labels = cases.clips(modalities, cases.STEPS * cases.BATCH)
  batches = {
    name: torch.from_numpy(rows).split(cases.BATCH)
    for name, rows in features.items()
  }
  targets = torch.from_numpy(labels).long().to(_DEVICE).split(cases.BATCH)
  rate, decay = _OPTIMIZER.learning_rate, _OPTIMIZER.weight_decay
  folds = []
  for _ in range(num_folds):
    model = _compiled(_Classifier(modalities).to(_DEVICE), compiled)
    adamw = torch.optim.AdamW(model.parameters(), rate, weight_decay=decay)
    folds.append((model, adamw))
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


def _compiled(model: nn.Module, compiled: bool) -> Any:
  return torch.compile(model) if compiled else model


def _wait() -> None:
  if _DEVICE == 'cuda':
    torch.cuda.synchronize()


class _LastState(nn.GRU):
  """GRU layers that return the last layer's last state."""

  def forward(self, rows: torch.Tensor) -> torch.Tensor:
    return super().forward(rows)[0][:, -1]


class _Classifier(nn.Module):
  """Network like `avemotion.models.EmotionClassifier`."""

  def __init__(self, modalities: tuple[str, ...]) -> None:
    super().__init__()
    self.branches = nn.ModuleDict({name: _branch(name) for name in modalities})
    self.logits = nn.Linear(len(modalities) * _DENSE, cases.NUM_CLASSES)

  def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    found = [branch(batch[name]) for name, branch in self.branches.items()]
    return self.logits(torch.cat(found, dim=-1))


def _branch(modality: str) -> nn.Module:
  branch = getattr(cases.CONFIG.model, modality)
  return nn.Sequential(
    _LastState(
      cases.SHAPES[modality][1],
      branch.features,
      branch.num_layers,
      bias=False,
      batch_first=True,
      dropout=_DROPOUT if branch.num_layers > 1 else 0.0,
    ),
    nn.Dropout(_DROPOUT),
    nn.Linear(branch.features, _DENSE, bias=False),
    nn.BatchNorm1d(_DENSE),
    nn.Dropout(_DROPOUT),
  )
