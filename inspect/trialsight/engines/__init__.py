"""Runtimes that run a package's graph: ONNX Runtime always, OpenVINO where it is installed."""

from trialsight.engines.engine import Engine, EngineName, cores, describe_runtime, installed_engines, open_engine

__all__ = ["Engine", "EngineName", "cores", "describe_runtime", "installed_engines", "open_engine"]
