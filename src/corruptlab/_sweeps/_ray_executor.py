"""An executor for a cluster: Ray."""

import math
import os
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from typing import Any

from corruptlab._checks import at_least, check_number
from corruptlab._errors import require

_ROUNDING = 1e-9  # of shares such as 1 / 3, which Ray itself rounds to 1e-4


class RayExecutor(Executor):
    """Executor that runs each trial as a task on a Ray cluster (extra ``ray``).

    If the process is already connected to a cluster, this cluster is used and left running.
    Otherwise the first call connects to ``address``, or starts a local cluster for this executor
    alone, and ``shutdown`` (the end of a ``with`` block) disconnects. corruptlab and the module of
    the trial must be importable on every node. Results are sent to the process of the sweep, so the
    nodes need no shared folder.

    Retries by Ray are disabled. The sweep retries trials, and distinguishes trials that raise an
    error from those whose worker or node died.

    Args:
        num_cpus: Number of CPU cores per trial, >= 0.
        num_gpus: Number of GPUs per trial, >= 0; a fraction such as ``0.25`` lets four trials share
            a GPU. Ray reserves these resources but does not limit usage. Only the reserved GPUs are
            visible to a trial, as ``"cuda"``; with 0, no GPU is visible.
        resources: Custom resources per trial, by name.
        address: Address of the cluster; ``"auto"`` for the cluster that runs on this machine; None
            for the address in the environment variable ``RAY_ADDRESS``, or else a new local
            cluster.
        max_workers: Maximum number of trials submitted at a time; by default, the number that the
            cluster can run. Increase it if the cluster scales on demand.

    Raises:
        TypeError: If an argument that must be a number is not one.
        ValueError: If a number is negative, ``num_gpus`` is above 1 and not an integer, or a trial
            would use no resources.

    Example:
        >>> from corruptlab.experiments.sweeps import RayExecutor
        >>> RayExecutor(num_gpus=0.25)
        RayExecutor(num_cpus=1, num_gpus=0.25)
    """

    def __init__(
        self,
        *,
        num_cpus: float = 1,
        num_gpus: float = 0,
        resources: Mapping[str, float] | None = None,
        address: str | None = None,
        max_workers: int | None = None,
    ) -> None:
        self._needs = {"CPU": num_cpus, "GPU": num_gpus, **(resources or {})}
        for name, amount in self._needs.items():
            argument = {"CPU": "num_cpus", "GPU": "num_gpus"}.get(name, "resources")
            check_number(argument, amount)
            if not 0 <= amount < math.inf:
                raise ValueError(f"`{argument}` must be at least 0, got {amount}.")
        if num_gpus > 1 and num_gpus != int(num_gpus):
            raise ValueError(f"`num_gpus` must be at most 1 or a whole number, got {num_gpus}.")
        if not any(self._needs.values()):
            raise ValueError("`num_cpus` must be greater than 0 if nothing else is, got 0.")
        if max_workers is not None:
            at_least(1, "max_workers", max_workers)
        self._address, self._most = address, max_workers
        self._ray: Any = None
        self._started = self._fits = False
        self._running: set[_TaskFuture] = set()
        self._remote: dict[Callable[..., Any], Any] = {}

    @property
    def max_workers(self) -> int:
        """Maximum number of trials submitted at a time.

        Raises:
            MissingExtraError: If Ray is not installed.
            ValueError: If the cluster cannot run a single trial, on the first access.
        """
        ray = self._connected()
        if self._most is not None:
            return self._most
        there: dict[str, float] = ray.cluster_resources()  # nodes come and go
        needs = {name: need for name, need in self._needs.items() if need}
        room = {name: there.get(name, 0) / need for name, need in needs.items()}
        if 0 < self._needs["GPU"] < 1:  # no share is made of the rests of two GPUs
            whole = math.floor(there.get("GPU", 0))
            room["GPU"] = whole * math.floor(1 / self._needs["GPU"] + _ROUNDING)
        least = min(room, key=lambda name: room[name])
        if room[least] < 1 and not self._fits:  # Ray would wait for such a node, and not say so
            raise ValueError(
                f"`executor` must ask for what the cluster has, got {self._needs[least]} {least} "
                f"where there are {there.get(least, 0):g}; if the cluster grows on demand, say how "
                "far by `max_workers`."
            )
        self._fits = True  # a node that dies later may come back
        return max(1, math.floor(room[least]))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Submit a call to the cluster.

        Args:
            fn: The function.
            args: Positional arguments.
            kwargs: Keyword arguments.

        Returns:
            The future of the result; cancelling it also stops a running task.

        Raises:
            MissingExtraError: If Ray is not installed.
        """
        ray = self._connected()
        if fn not in self._remote:  # Ray sends every remote function to all nodes
            self._remote[fn] = ray.remote(fn)
        task = self._remote[fn].options(
            num_cpus=self._needs["CPU"],
            num_gpus=self._needs["GPU"],
            resources={k: v for k, v in self._needs.items() if k not in ("CPU", "GPU")},
            max_retries=0,
            scheduling_strategy="SPREAD",
        )
        future = _TaskFuture(ray, task.remote(*args, **kwargs))
        self._running.add(future)
        future.add_done_callback(self._running.discard)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Disconnect from the cluster, if this executor connected to it.

        Args:
            wait: Whether to wait for running tasks first.
            cancel_futures: Whether to cancel unfinished tasks.
        """
        for future in tuple(self._running):
            if cancel_futures:
                future.cancel()
            elif wait:
                future.exception()
        if self._started:
            self._started = False
            self._ray.shutdown()

    def __repr__(self) -> str:
        """Return the call that makes it, without what is left at its default."""
        other = {k: v for k, v in self._needs.items() if k not in ("CPU", "GPU") and v}
        parts = [f"num_cpus={self._needs['CPU']}", f"num_gpus={self._needs['GPU']}"]
        parts += [f"resources={other}"] if other else []
        parts += [f"address={self._address!r}"] if self._address is not None else []
        parts += [f"max_workers={self._most}"] if self._most is not None else []
        return f"RayExecutor({', '.join(parts)})"

    def _connected(self) -> Any:
        ray = self._ray = require("ray", extra="ray")
        if not ray.is_initialized():
            # Left to itself, Ray would join any cluster that somebody has started on this machine.
            address = self._address or os.environ.get("RAY_ADDRESS") or "local"
            ray.init(address=address, log_to_driver=False, include_dashboard=False)
            self._started = True
        return ray


class _TaskFuture(Future[Any]):
    """The future of a Ray task."""

    def __init__(self, ray: Any, reference: Any) -> None:
        super().__init__()
        self._ray, self._reference = ray, reference
        reference.future().add_done_callback(self._take)

    def cancel(self) -> bool:
        """End the task, even while it runs."""
        if not self.done():
            self._ray.cancel(self._reference, force=True)
        return super().cancel()

    def _take(self, source: Future[Any]) -> None:
        if not self.set_running_or_notify_cancel():
            return
        if (error := source.exception()) is not None:
            self.set_exception(error)
        else:
            self.set_result(source.result())
