"""The Method interface, and one file per method."""

from inpaintbench.methods.method import Method
from inpaintbench.methods.registry import find_method, method_classes, parse_method

__all__ = ["Method", "find_method", "method_classes", "parse_method"]
