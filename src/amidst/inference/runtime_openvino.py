"""Run an exported graph with OpenVINO, on the CPU.

By itself OpenVINO computes in bfloat16 where the processor has units for it, which keeps three digits. An
exported file says what its numbers are: float32 stays float32, and what is 8 bits wide stays so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import openvino

from amidst.errors import WeightsError
from amidst.inference.exported import Exported

Arrays = dict[str, npt.NDArray[Any]]


class OpenVino:
    """A compiled graph: called with its inputs by name, gives its outputs by name."""

    def __init__(self, exported: Exported, threads: int) -> None:
        settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
        }
        core = openvino.Core()
        try:
            model = core.read_model(exported.content)
            self._compiled = core.compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise WeightsError(f"{exported.path}: OpenVINO refuses it ({_one_line(error)})") from None
        self._request = self._compiled.create_infer_request()
        self._outputs = exported.outputs

    def __call__(self, inputs: Arrays) -> Arrays:
        """Outputs for inputs."""
        found = self._request.infer(inputs, share_inputs=True)
        return {name: np.array(found[name]) for name in self._outputs}


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
