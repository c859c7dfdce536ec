"""Reference architectures with the parameter counts of the paper and reproducible weights."""

from corruptlab.models._by_name import by_name
from corruptlab.models._inception_v3 import inception_v3
from corruptlab.models._initialization import Initialization, initialize
from corruptlab.models._mlp import mlp
from corruptlab.models._small_alexnet import small_alexnet
from corruptlab.models._small_inception import small_inception
from corruptlab.models._text_transformer import text_transformer

__all__ = [
    "Initialization",
    "by_name",
    "inception_v3",
    "initialize",
    "mlp",
    "small_alexnet",
    "small_inception",
    "text_transformer",
]
