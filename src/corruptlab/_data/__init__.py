"""The one reader of data sets: what items serve is what counts."""

from corruptlab._data._examples import (
    Examples,
    checked_length,
    fields_of,
    listed_provenance,
    open_dataset,
    told_classes,
)
from corruptlab._data._fields import Fields, Key
from corruptlab._data._inputs import as_array, as_batch, channels_first, restored, stacked
from corruptlab._data._kinds import LABEL_ATTRIBUTES, is_joined, is_subset
from corruptlab._data._labels import class_of, given_labels, integer_labels, relabelled
from corruptlab._data._pairs import Pair, paired
from corruptlab._data._provenance import History, Provenance, Traced
from corruptlab._data._sources import chunks, fetched, is_traced, label_lists, source_of

__all__ = [
    "LABEL_ATTRIBUTES",
    "Examples",
    "Fields",
    "History",
    "Key",
    "Pair",
    "Provenance",
    "Traced",
    "as_array",
    "as_batch",
    "channels_first",
    "checked_length",
    "chunks",
    "class_of",
    "fetched",
    "fields_of",
    "given_labels",
    "integer_labels",
    "is_joined",
    "is_subset",
    "is_traced",
    "label_lists",
    "listed_provenance",
    "open_dataset",
    "paired",
    "relabelled",
    "restored",
    "source_of",
    "stacked",
    "told_classes",
]
