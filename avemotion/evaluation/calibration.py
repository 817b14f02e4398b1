"""How sure probabilities are: their cross-entropy, and their temperature."""

import numpy as np

_SMALLEST = 1e-12  # probability, before its logarithm


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
  """Mean negative log-likelihood of the true labels.

  Args:
    probabilities: float[clips, labels].
    labels: int[clips].

  Returns:
    The mean, in nats.
  """
  likelihood = probabilities[np.arange(len(labels)), labels]
  return float(-np.log(np.maximum(likelihood, _SMALLEST)).mean())


def scale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
  """Softmax of the logits divided by a temperature, from the probabilities.

  Args:
    probabilities: float[..., labels], a softmax.
    temperature: above 0; 1 changes nothing.

  Returns:
    Probabilities float[..., labels].
  """
  logits = np.log(np.maximum(probabilities, _SMALLEST)) / temperature
  powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
  return powers / powers.sum(axis=-1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
  """The temperature of lowest cross-entropy (Guo et al. 2017).

  Args:
    probabilities: float[clips, labels] of validation clips.
    labels: int[clips].

  Returns:
    The temperature, between 0.05 and 20; 1.0 without clips.
  """
  if not labels.size:
    return 1.0
  # Imported here: recognition needs none of it.
  from scipy import optimize

  found = optimize.minimize_scalar(
    lambda power: cross_entropy(scale(probabilities, np.exp(power)), labels),
    bounds=(np.log(0.05), np.log(20)),
    method='bounded',
  )
  return float(np.exp(found.x))
