"""ONNX graphs, made node by node; needs the extra `onnx`.

Made by hand because jax2onnx 0.17 converts no mean over a symbolic time.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

# The oldest with all operators in use; runtimes of 2022 support it.
_OPSET = 17
_IR_VERSION = 8

FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8
INT32, INT64 = TensorProto.INT32, TensorProto.INT64
# A size is a number, or the name of a symbolic one.
Shape = Sequence[int | str]


class Graph:
  """Graph to which nodes are added; values are identified by name."""

  def __init__(self) -> None:
    self._nodes: list[Any] = []
    self._constants: list[Any] = []
    self._inputs: list[Any] = []

  def input(self, name: str, kind: int, shape: Shape) -> str:
    """Declares an input; `kind` is `FLOAT`, `INT32` or `UINT8`."""
    self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
    return name

  def constant(self, values: Any, dtype: Any = np.float32) -> str:
    """Adds a constant; returns its name."""
    name = f'constant_{len(self._constants)}'
    array = np.asarray(values, dtype)
    self._constants.append(numpy_helper.from_array(array, name))
    return name

  def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
    """Applies an ONNX operator to named values; returns the output's name."""
    return self.add_all(operator, inputs, 1, **attributes)[0]

  def add_all(
    self, operator: str, inputs: Sequence[str], outputs: int, **attributes: Any
  ) -> list[str]:
    """Applies an operator with several outputs; returns their names."""
    number = len(self._nodes)
    names = [f'{operator.lower()}_{number}_{i}' for i in range(outputs)]
    self._nodes.append(helper.make_node(operator, inputs, names, **attributes))
    return names

  def write(
    self,
    path: str | os.PathLike[str],
    output: str,
    name: str,
    shape: Shape,
    metadata: Mapping[str, str],
  ) -> None:
    """Checks and writes the graph with one float32 output to `….onnx`.

    The value `output` gets a name and a shape in the file, which also has the
    metadata.
    """
    self._nodes.append(helper.make_node('Identity', [output], [name]))
    outputs = [helper.make_tensor_value_info(name, FLOAT, shape)]
    graph = helper.make_graph(
      self._nodes, 'avemotion', self._inputs, outputs, self._constants
    )
    model = helper.make_model(
      graph,
      producer_name='avemotion',
      ir_version=_IR_VERSION,
      opset_imports=[helper.make_opsetid('', _OPSET)],
    )
    helper.set_model_props(model, dict(metadata))
    onnx.checker.check_model(model, full_check=True)
    with open(path, 'wb') as file:
      file.write(model.SerializeToString())
