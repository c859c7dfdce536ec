"""Reference architectures: exact to the parameter, the same weights everywhere."""

from corruptlab.models._by_name import by_name
from corruptlab.models._initialization import Initialization, initialize
from corruptlab.models._mlp import mlp

__all__ = ["Initialization", "by_name", "initialize", "mlp"]
