"""A GPU for tests on machines without one.

Inside ``with FakeGPU() as gpu:`` a tensor on ``"cuda"`` lies in the memory of the CPU, says that it
is on ``cuda:0``, and is computed with there, so that a whole fit runs and gives the CPU's results.
What differs from a CPU is as on a GPU:

- Tensors of different devices do not meet in an operation, but for single numbers of the CPU.
- What makes the host wait for the device (``item``, copies, ``nonzero``) is counted by line.
- Work that is captured as a CUDA graph is not done until the graph is replayed. What it computes
  from Python numbers stays as it was at the capture, and a wait is an error meanwhile.

With ``torch.cuda.set_sync_debug_mode("warn")`` a wait is a warning, too, and what is drawn on the
device comes from the device's generator.

Streams do nothing, kernels take what the CPU's take, and ``torch.compile`` is not modelled.
"""

import contextlib
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import corruptlab

_PACKAGE = str(Path(corruptlab.__file__).parent)

# Operations whose result has a shape, or is a number for Python, that depends on values.
_WAITING = {
    *("_local_scalar_dense", "nonzero", "masked_select", "equal", "is_nonzero", "bincount"),
    *("unique_dim", "_unique2", "unique_consecutive", "repeat_interleave", "_linalg_check_errors"),
}
# Indices may be on the CPU: PyTorch copies them, and waits.
_INDEXING = {"index", "index_put", "index_put_", "_index_put_impl_"}

_PINNED = -1  # the place of memory of the CPU that a GPU can read while the host goes on
_WeakRef: Any = StorageWeakRef
_places: dict[int, tuple[Any, int]] = {}  # by the address of a storage: a GPU's number


class MixedDevicesError(RuntimeError):
    """Tensors of different devices met."""


class FakeGPU:
    """Pretend that there are GPUs.

    Args:
        capabilities: The compute capability of each GPU, which are as many.
        current: The current device at the beginning.

    Attributes:
        waits: How often each line of the package made the host wait: ``"file:line what"``.
        kernels: How much was launched so far on each GPU, by its number; a graph counts as one.
        current: The current device.
        free, total: Bytes of memory that every GPU tells of.
        cache: Bytes that PyTorch tells of on every GPU: reserved, allocated, inactive_split.
        generators: The generator of each GPU.
        warning: Whether waits are warned of.
        capturing: The graph that is being captured.
    """

    def __init__(
        self, capabilities: Sequence[tuple[int, int]] = ((9, 0),), current: int = 0
    ) -> None:
        self.waits: Counter[str] = Counter()
        self.kernels: Counter[int] = Counter()
        self.current = current
        self.free = self.total = 8 << 30
        self.cache = dict.fromkeys(("reserved", "allocated", "inactive_split"), 0)
        self.generators = tuple(torch.Generator() for _ in capabilities)
        self.capturing: Graph | None = None
        self.warning = False
        self.within: int | None = None  # the GPU of the call under way, and of memory it asks for
        self._capabilities, self._exits = capabilities, contextlib.ExitStack()

    def __enter__(self) -> "FakeGPU":
        with contextlib.ExitStack() as exits:
            for owner, fakes in _fakes(self):
                exits.enter_context(mock.patch.multiple(owner, create=True, **fakes))
            exits.enter_context(_Kernels(self))
            exits.enter_context(_Calls(self))
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._exits.close()
        for address in [at for at, (storage, _) in _places.items() if storage.expired()]:
            del _places[address]

    @property
    def launches(self) -> int:
        """Kernels and replays of graphs so far."""
        return self.kernels.total()

    def wait(self, what: str) -> None:
        """Count a wait of the host for the device."""
        if self.capturing is not None:
            text = "CUDA error: operation not permitted when stream is capturing"
            raise RuntimeError(f"{text} ({what} at {_line()})")
        if self.warning and what != "synchronize":
            text = "called a synchronizing CUDA operation"
            warnings.warn_explicit(text, UserWarning, *_caller())
        self.waits[f"{_line()} {what}"] += 1

    def done(self, func: Any, args: Any, kwargs: Any, place: int) -> Any:
        """Do an operation, which draws from the generator of its GPU."""
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **kwargs)
        host, own = torch.default_generator, self.generators[place]
        before = host.get_state()
        host.set_state(own.get_state())
        try:
            return func(*args, **kwargs)
        finally:
            own.set_state(host.get_state())
            host.set_state(before)

    def index(self, device: Any = None) -> int:
        """Return the number of a GPU by any of its names; the current one's without a number."""
        number = device if isinstance(device, int | None) else torch.device(device).index
        number = self.current if number is None else number
        if not 0 <= number < len(self.generators):
            raise RuntimeError("CUDA error: invalid device ordinal")
        return number

    def capability(self, device: Any = None) -> tuple[int, int]:
        """Return the compute capability of a GPU."""
        return self._capabilities[self.index(device)]

    @contextlib.contextmanager
    def device(self, device: Any) -> Iterator[None]:
        """Make a GPU the current one for a while."""
        before, self.current = self.current, self.index(device)
        try:
            yield
        finally:
            self.current = before


def place_of(tensor: Tensor) -> int | None:
    """Return the number of the GPU that a tensor pretends to be on; None on the CPU."""
    number = _note_of(tensor)
    return None if number == _PINNED else number


def _note_of(tensor: Tensor) -> int | None:
    storage = _storage(tensor)
    return None if storage is None else _places.get(storage._cdata, (None, None))[1]


def _put(value: Any, number: int | None) -> Any:
    """Note where a tensor, or those that a structure holds, are from now on."""
    for tensor in tree_leaves(value):
        if isinstance(tensor, Tensor) and (storage := _storage(tensor)) is not None:
            _places.pop(storage._cdata, None)
            if number is not None:  # a storage that is referred to keeps its address
                _places[storage._cdata] = _WeakRef(storage), number
    return value


def _storage(tensor: Tensor) -> Any:
    with torch._C.DisableTorchFunction():
        while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
            tensor = torch._C._functorch.get_unwrapped(tensor)
        return None if tensor.is_meta or tensor.is_sparse else tensor.untyped_storage()


def _tensors(value: Any) -> list[Tensor]:
    return [each for each in tree_leaves(value) if isinstance(each, Tensor)]


def _line() -> str:
    """Return the innermost line of the package that is being run."""
    frame: Any = sys._getframe(1)
    while frame is not None and not frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    if frame is None:
        return "elsewhere"
    return f"{frame.f_code.co_filename[len(_PACKAGE) + 1 :]}:{frame.f_lineno}"


def _caller() -> tuple[str, int]:
    """Return the innermost line that belongs neither to PyTorch nor to this file."""
    frame: Any = sys._getframe(1)
    while frame.f_code.co_filename.startswith((str(Path(torch.__file__).parent), __file__)):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


class _Calls(TorchFunctionMode):
    """What Python sees of devices: attributes, arguments, and moves from one to another."""

    def __init__(self, gpu: FakeGPU) -> None:
        super().__init__()
        self._gpu = gpu

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        own = args[0] if args and isinstance(args[0], Tensor) else None
        place = None if own is None else place_of(own)
        if name == "__get__" and place is not None:
            attribute = getattr(getattr(func, "__self__", None), "__name__", "")
            known = {"device": torch.device("cuda", place), "is_cuda": True, "is_cpu": False}
            return known[attribute] if attribute in known else func(*args)
        if name in ("__get__", "_parse_to") or func is torch.device:
            return func(*args, **kwargs)
        if own is not None and name in ("to", "cpu", "cuda", "as_tensor", "asarray"):
            return self._moved(own, name, args[1:], kwargs)
        if place is not None and name in ("numpy", "__array__"):
            raise TypeError(f"can't convert cuda:{place} device type tensor to numpy ({_line()})")
        if place is not None and name == "tolist":
            self._gpu.wait("tolist")
        if name == "__deepcopy__":
            before = self._gpu.waits.copy()  # it stays on its device, whatever its storage says
            copied, self._gpu.waits = _put(func(*args, **kwargs), place), before
            return copied
        goals = [x for x in (*args, *kwargs.values()) if _is_device(x)]
        if goals:
            goal = self._place_named(goals[0])
            if goal is not None and name in ("tensor", "as_tensor", "asarray"):
                self._gpu.wait("copy to the device")
            outer, self._gpu.within = self._gpu.within, goal
            try:
                return _put(func(*_on_cpu(args), **_on_cpu_by_name(kwargs)), goal)
            finally:
                self._gpu.within = outer
        return self._on_its_device(func, args, kwargs)

    def _on_its_device(self, func: Any, args: Any, kwargs: Any) -> Any:
        """Call a function whose results are where its arguments are."""
        places = (place_of(each) for each in _tensors((args, kwargs)))
        outer = self._gpu.within
        self._gpu.within = next((place for place in places if place is not None), None)
        try:
            return func(*args, **kwargs)
        finally:
            self._gpu.within = outer

    def _moved(self, own: Tensor, name: str, args: Any, kwargs: Any) -> Tensor:
        place, like = place_of(own), [x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)]
        asked = [x for x in (*args, *kwargs.values()) if _is_device(x)]
        if name == "cuda":
            asked = [torch.device("cuda", self._gpu.index(*args[:1]))]
        goal = self._place_named(asked[0]) if asked else place
        if name == "cpu":
            goal = None
        elif like:
            goal = place_of(like[0])
        if name == "to":
            made = own.to(*_on_cpu(args), **_on_cpu_by_name(kwargs))
        else:
            dtype = kwargs.get("dtype", next((x for x in args if isinstance(x, torch.dtype)), None))
            made = own.to(dtype or own.dtype)
        if made.is_meta or goal == place:
            return made if made is own else _put(made, place)
        pinned = _note_of(own) == _PINNED and kwargs.get("non_blocking", False)
        if not (goal is not None and pinned):
            self._gpu.wait("copy to the host" if goal is None else "copy to the device")
        apart = _storage(made)._cdata != _storage(own)._cdata
        moved: Tensor = _put(made if apart else made.clone(), goal)
        return moved

    def _place_named(self, device: Any) -> int | None:
        return self._gpu.index(device) if torch.device(device).type == "cuda" else None


def _is_device(x: Any) -> bool:
    named = isinstance(x, str) and x.partition(":")[0] in ("cuda", "cpu", "meta")
    return named or isinstance(x, torch.device)


def _on_cpu(args: Any) -> list[Any]:
    cpu = torch.device("cpu")
    return [cpu if _is_device(x) and torch.device(x).type == "cuda" else x for x in args]


def _on_cpu_by_name(kwargs: Any) -> dict[str, Any]:
    return dict(zip(kwargs, _on_cpu(kwargs.values()), strict=True))


class _Kernels(TorchDispatchMode):  # type: ignore[no-untyped-call]  # PyTorch's
    """What is seen of devices by every kernel, those of a backward pass too."""

    def __init__(self, gpu: FakeGPU) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # PyTorch's
        self._gpu = gpu

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name, gpu = kwargs or {}, func.overloadpacket.__name__, self._gpu
        inputs = [x for x in _tensors((args, kwargs)) if not x.is_meta]
        places = [place_of(x) for x in inputs]
        place = next((each for each in places if each is not None), None)
        if place is None:
            place = gpu.within if not inputs else None  # memory that a composite operation wants
            if place is None:
                return func(*args, **kwargs)
            return _put(self._done(func, args, kwargs, place), place)
        if name == "copy_" and places[0] != places[1]:
            self._copy(inputs, args, kwargs)
            return func(*args, **kwargs)
        others = [
            at for x, at in zip(inputs, places, strict=True) if at != place and (x.ndim or at)
        ]
        if name in _INDEXING and places[0] == place:
            if others or any(x.dtype is torch.bool for x in inputs[1:]):
                gpu.wait(name)
        elif others:
            both = " and ".join("cpu" if at is None else f"cuda:{at}" for at in (place, others[0]))
            text = "Expected all tensors to be on the same device, but found at least two devices"
            raise MixedDevicesError(f"{text}, {both}! ({name} at {_line()})")
        elif name in _WAITING:
            gpu.wait(name)
        gpu.kernels[place] += gpu.capturing is None
        return _put(self._done(func, args, kwargs, place), place)

    def _done(self, func: Any, args: Any, kwargs: Any, place: int) -> Any:
        work = self._gpu.done if self._gpu.capturing is None else self._gpu.capturing.run
        return work(func, args, kwargs, place)

    def _copy(self, inputs: list[Tensor], args: Any, kwargs: Any) -> None:
        """Count a copy between devices, unless the host goes on meanwhile."""
        non_blocking = args[2] if len(args) > 2 else kwargs.get("non_blocking", False)
        source = inputs[1]
        pinned = non_blocking and _note_of(source) == _PINNED
        if place_of(source) is not None or not (pinned or source.ndim == 0):
            self._gpu.wait("copy between host and device")


class Graph:
    """In place of `torch.cuda.CUDAGraph`: operations that are noted, and done when replayed."""

    gpu: FakeGPU

    def __init__(self, keep_graph: bool = False) -> None:
        self._noted: list[tuple[Any, Any, Any, int, list[Tensor | None]]] = []
        self._before: list[tuple[Tensor, Tensor]] = []

    def capture_begin(self, pool: Any = None, capture_error_mode: str = "global") -> None:
        """Note operations from now on."""
        self.gpu.capturing = self

    def run(self, func: Any, args: Any, kwargs: Any, place: int) -> Any:
        """Note an operation; return its results, in which nothing is to be found yet."""
        # It is done, for shapes and memory, and undone at the end of the capture.
        self._before += [(each, each.clone()) for each in _written(func, args, kwargs)]
        taken = {_storage(each)._cdata for each in _tensors((args, kwargs))}
        state = self.gpu.generators[place].get_state()
        results = self.gpu.done(func, args, kwargs, place)
        self.gpu.generators[place].set_state(state)
        new = [x if _storage(x)._cdata not in taken else None for x in _tensors(results)]
        self._noted.append((func, args, kwargs, place, new))
        return results

    @torch.no_grad()
    def capture_end(self) -> None:
        """Undo what was noted: nothing of it has been done on a GPU."""
        self.gpu.capturing = None
        with torch.utils._python_dispatch._disable_current_modes():
            for tensor, value in reversed(self._before):
                tensor.copy_(value)
            for tensor in (x for *_, new in self._noted for x in new if x is not None):
                if tensor.is_floating_point():
                    tensor.fill_(torch.nan)
        self._before = []

    @torch.no_grad()
    def replay(self) -> None:
        """Do what was noted, in the memory in which it was."""
        self.gpu.kernels[self.gpu.current] += 1
        with torch.utils._python_dispatch._disable_current_modes():
            for func, args, kwargs, place, kept in self._noted:
                results = _tensors(self.gpu.done(func, args, kwargs, place))
                for old, new in zip(kept, results, strict=True):
                    if old is not None:
                        old.copy_(new)

    def reset(self) -> None:
        """Forget what was noted."""
        self._noted = []

    def pool(self) -> tuple[int, int]:
        """Return a name of the graph's memory."""
        return 0, id(self)


def _written(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """Return the tensors that an operation changes."""
    arguments = func._schema.arguments
    given = {**dict(zip((each.name for each in arguments), args, strict=False)), **kwargs}
    changed = [
        each.name
        for each in arguments
        if (each.alias_info is not None and each.alias_info.is_write)
        or each.name in ("running_mean", "running_var")  # of batch norm, which does not say so
    ]
    return _tensors([given.get(name) for name in changed])


def _fakes(gpu: FakeGPU) -> list[tuple[Any, dict[str, Any]]]:
    """Return what takes the place of what, by its owner."""
    graph_class = type("CUDAGraph", (Graph,), {"gpu": gpu})

    @contextlib.contextmanager
    def capture(
        graph: Graph, pool: Any = None, stream: Any = None, capture_error_mode: str = "global"
    ) -> Iterator[None]:
        gpu.wait("synchronize")
        graph.capture_begin(pool, capture_error_mode)
        try:
            yield
        finally:
            graph.capture_end()

    def synchronize(*device: Any) -> None:
        gpu.wait("synchronize")

    class Stream:
        """It does nothing: all work is done at once."""

        def __init__(self, device: Any = None, priority: int = 0) -> None:
            self.device = torch.device("cuda", gpu.index(device))
            self.wait_stream = self.wait_event = lambda other: None
            self.synchronize, self.query = synchronize, lambda: True

        def record_event(self, event: Any = None) -> Any:
            event = event or Event()
            event.record(self)
            return event

    class Event:
        """A moment."""

        def __init__(self, enable_timing: bool = False, **options: bool) -> None:
            self.at, self.synchronize, self.query = 0.0, synchronize, lambda: True

        def record(self, stream: Any = None) -> None:
            self.at = time.perf_counter()

        def wait(self, stream: Any = None) -> None:
            pass

        def elapsed_time(self, end: Any) -> float:
            return 1e3 * float(end.at - self.at)

    def set_sync_debug_mode(mode: int | str) -> None:
        gpu.warning = mode in (1, "warn")

    def set_device(device: Any) -> None:
        gpu.current = gpu.index(device)

    def set_rng_state(state: Tensor, device: Any = None) -> None:
        gpu.generators[gpu.index(device)].set_state(state)

    def properties(device: Any = None) -> Any:
        major, minor = gpu.capability(device)
        name = f"Fake GPU {gpu.index(device)}"
        return SimpleNamespace(name=name, total_memory=gpu.total, major=major, minor=minor)

    def grouped(lists: Any, with_indices: bool = False) -> Any:
        groups = group(lists, with_indices)  # by the device that PyTorch's own code sees
        return {
            (next(x for x in found[0][0] if x is not None).device, dtype): found
            for (_, dtype), found in groups.items()
        }

    def check_capturable(optimizer: Any) -> None:
        if gpu.capturing and not all(each["capturable"] for each in optimizer.param_groups):
            raise RuntimeError(
                f"Attempting CUDA graph capture of {type(optimizer).__name__}.step()"
            )

    def autocast(device_type: str, *args: Any, **kwargs: Any) -> Any:
        return real_autocast("cpu" if device_type == "cuda" else device_type, *args, **kwargs)

    group, real_autocast = torch.optim.Optimizer._group_tensors_by_device_and_dtype, torch.autocast
    cuda = {
        **dict.fromkeys(("is_available", "is_initialized"), lambda: True),
        **dict.fromkeys(("init", "_lazy_init", "empty_cache"), lambda: None),
        "reset_peak_memory_stats": lambda *device: None,
        "set_sync_debug_mode": set_sync_debug_mode,
        "get_sync_debug_mode": lambda: int(gpu.warning),
        **{
            f"{most}memory_{name}": lambda device=None, name=name: gpu.cache[name]
            for name in ("allocated", "reserved")
            for most in ("", "max_")
        },
        "memory_stats": lambda device=None: {
            **{f"{name}_bytes.all.current": size for name, size in gpu.cache.items()},
            "allocation.all.allocated": gpu.kernels[gpu.index(device)],  # about as many
        },
        "mem_get_info": lambda *device: (gpu.free, gpu.total),
        "device_count": lambda: len(gpu.generators),
        "current_device": lambda: gpu.current,
        "set_device": set_device,
        "device": gpu.device,
        "get_device_name": lambda device=None: properties(device).name,
        "get_device_capability": gpu.capability,
        "get_device_properties": properties,
        "is_bf16_supported": lambda including_emulation=True: gpu.capability() >= (8, 0),
        "default_generators": gpu.generators,
        "get_rng_state": lambda device=None: gpu.generators[gpu.index(device)].get_state(),
        "set_rng_state": set_rng_state,
        "synchronize": synchronize,
        "Stream": Stream,
        "Event": Event,
        "stream": contextlib.nullcontext,
        **dict.fromkeys(("current_stream", "default_stream"), Stream),
        "CUDAGraph": graph_class,
        "graph": capture,
        "graph_pool_handle": lambda: (0, 0),
        "is_current_stream_capturing": lambda: gpu.capturing is not None,
    }
    accelerator = {
        "is_available": lambda: True,
        "current_accelerator": lambda check_available=False: torch.device("cuda"),
        **dict.fromkeys(("set_device_index", "set_device_idx"), set_device),
        **dict.fromkeys(("current_device_index", "current_device_idx"), lambda: gpu.current),
    }
    checks = ("_cuda_graph_capture_health_check", "_accelerator_graph_capture_health_check")
    return [
        (torch.cuda, cuda),
        (torch.cuda.random, {name: cuda[name] for name in ("device_count", "current_device")}),
        (torch.accelerator, accelerator),
        (torch, {"autocast": autocast}),
        (Tensor, {"pin_memory": _pin_memory, "is_pinned": _is_pinned}),
        (
            torch.optim.Optimizer,
            {
                **dict.fromkeys(checks, check_capturable),
                "_group_tensors_by_device_and_dtype": staticmethod(grouped),
            },
        ),
    ]


def _pin_memory(tensor: Tensor, device: Any = None) -> Tensor:
    pinned: Tensor = _put(tensor.clone(), _PINNED)
    return pinned


def _is_pinned(tensor: Tensor, device: Any = None) -> bool:
    return _note_of(tensor) == _PINNED
