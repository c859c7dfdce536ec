"""The one reader of data sets: what items serve is what counts."""

from corruptlab._data._beneath import noise_beneath
from corruptlab._data._containers import read_container, written_like
from corruptlab._data._examples import (
    Examples,
    checked_length,
    fields_of,
    listed_provenance,
    open_dataset,
    told_classes,
    with_encoding,
)
from corruptlab._data._fields import LABEL_NAMES, Fields, InputKey, Key, with_added
from corruptlab._data._inputs import (
    Batch,
    channels_first,
    is_structured,
    one_array,
    restored,
    stacked,
    tensors_from,
)
from corruptlab._data._kinds import (
    LABEL_ATTRIBUTES,
    draws_nothing,
    fetched,
    is_joined,
    is_subset,
    label_lists,
)
from corruptlab._data._labels import (
    encoded_as,
    encoding_of,
    given_labels,
    integer_labels,
    number_of,
    plain,
    relabelled,
)
from corruptlab._data._pairs import (
    Pair,
    check_labels_inside,
    columns,
    is_pair_of_arrays,
    paired,
)
from corruptlab._data._provenance import History, Provenance, Traced, is_traced
from corruptlab._data._sources import chunks, source_of

__all__ = [
    "LABEL_ATTRIBUTES",
    "LABEL_NAMES",
    "Batch",
    "Examples",
    "Fields",
    "History",
    "InputKey",
    "Key",
    "Pair",
    "Provenance",
    "Traced",
    "channels_first",
    "check_labels_inside",
    "checked_length",
    "chunks",
    "columns",
    "draws_nothing",
    "encoded_as",
    "encoding_of",
    "fetched",
    "fields_of",
    "given_labels",
    "integer_labels",
    "is_joined",
    "is_pair_of_arrays",
    "is_structured",
    "is_subset",
    "is_traced",
    "label_lists",
    "listed_provenance",
    "noise_beneath",
    "number_of",
    "one_array",
    "open_dataset",
    "paired",
    "plain",
    "read_container",
    "relabelled",
    "restored",
    "source_of",
    "stacked",
    "tensors_from",
    "told_classes",
    "with_added",
    "with_encoding",
    "written_like",
]
