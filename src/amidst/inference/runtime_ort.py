"""Run an exported graph with ONNX Runtime, on the CPU."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import onnxruntime

from amidst.errors import WeightsError
from amidst.inference.exported import Exported

Arrays = dict[str, npt.NDArray[Any]]


class OnnxRuntime:
    """A loaded graph: called with its inputs by name, gives its outputs by name."""

    def __init__(self, exported: Exported, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors
        try:
            self._session = onnxruntime.InferenceSession(
                exported.content, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the runtime's own classes, which it does not export
            raise WeightsError(f"{exported.path}: ONNX Runtime refuses it ({_one_line(error)})") from None
        self._outputs = exported.outputs

    def __call__(self, inputs: Arrays) -> Arrays:
        """Outputs for inputs."""
        return dict(zip(self._outputs, self._session.run(list(self._outputs), inputs), strict=True))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
