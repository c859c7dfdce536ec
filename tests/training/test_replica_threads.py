"""Groups of replicas side by side, each in a thread: the same networks, and nothing left behind."""

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor, nn

from corruptlab import Recipe, ReplicasReport, fit_replicas, mlp
from corruptlab._progress import Progress
from corruptlab.training import NonFiniteLossError, _replica_plan
from corruptlab.training._replica_engines import WidePerceptrons
from tests import waiting

RECIPE = Recipe(learning_rate=0.1, decay=0.99, epochs=8, batch_size=16, whiten=False)
N, D, K, R = 50, 6, 3, 5
GENERATOR = torch.Generator().manual_seed(0)
INPUTS = torch.randn(N, D, generator=GENERATOR)
LABELS = torch.randint(K, (R, N), generator=GENERATOR)
SUBSETS = torch.stack([torch.randperm(N, generator=GENERATOR)[:20] for _ in range(R)])
WIDE = [
    "wide, 5 at a time, products in 2 threads",
    "wide, 3 at a time in each of 2 threads",
    "wide, 2 at a time in each of 2 threads",
]


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_replica_plan, "_WORTH_MEASURING", 1)
    monkeypatch.setattr(_replica_plan, "_WORTH_MEASURING_PERCEPTRONS", 1)
    monkeypatch.setattr(_replica_plan, "_CACHE", 20_000)  # the numbers of two replicas
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


@pytest.fixture
def fastest(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes one of the candidates the fastest."""

    def make(name: str) -> None:
        def seconds(plan: Any, *_: object) -> float:
            return 1e-9 if plan.name == name else 1.0

        monkeypatch.setattr(_replica_plan, "_seconds_per_replica", seconds)

    return make


def perceptron() -> nn.Sequential:
    return mlp(40, input_shape=(D,), num_classes=K)


def convnet() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Unflatten(1, (1, D)), nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.ReLU(),
        nn.Flatten(), nn.Linear(16, K),
    )  # fmt: skip


def trained(model: nn.Module, **changes: Any) -> ReplicasReport:
    known: dict[str, Any] = {"recipe": RECIPE, "seed": 3, "stop": ()}
    return fit_replicas(model, INPUTS, LABELS, **{**known, **changes})


def test_ways_in_threads_are_timed_beside_the_others() -> None:
    report = trained(perceptron())
    assert report.seconds_per_step.keys() == {*WIDE, "loop"}
    assert all(seconds > 0 for seconds in report.seconds_per_step.values())


@pytest.mark.parametrize("subsets", [None, SUBSETS])
@pytest.mark.parametrize("name", WIDE)
def test_threads_change_nothing_but_roundings(
    name: str, subsets: Tensor | None, fastest: Callable[[str], None]
) -> None:
    fastest(name)
    together = trained(perceptron(), subsets=subsets)
    alone = trained(perceptron(), subsets=subsets, strategy="wide")
    assert name in repr(together)
    assert together.threads == (2 if "each" in name else 1)
    assert together.product_threads == (2 if "products" in name else 1)
    assert (together.epochs == alone.epochs).all()
    for one, other in zip(together.losses, alone.losses, strict=True):
        assert one == pytest.approx(other, rel=1e-4, abs=1e-5)
    assert together.train_accuracy == pytest.approx(alone.train_accuracy)
    torch.testing.assert_close(together.logits(INPUTS), alone.logits(INPUTS), rtol=1e-3, atol=1e-4)


def test_networks_that_are_mapped_over_keep_their_own_statistics(
    fastest: Callable[[str], None],
) -> None:
    fastest("vmap, 2 at a time in each of 2 threads")
    together = trained(convnet(), recipe=replace(RECIPE, epochs=3))
    assert (together.strategy, together.threads) == ("vmap", 2)
    alone = trained(convnet(), recipe=replace(RECIPE, epochs=3), strategy="vmap")
    torch.testing.assert_close(together.logits(INPUTS), alone.logits(INPUTS), rtol=1e-3, atol=1e-4)


def test_products_of_each_thread_have_one_thread(
    fastest: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fastest(WIDE[-1])
    seen: set[tuple[int, bool]] = set()
    step = WidePerceptrons.step

    def noting(self: WidePerceptrons, *arguments: Any, **more: Any) -> Tensor:
        main = threading.current_thread() is threading.main_thread()
        seen.add((torch.get_num_threads(), main))
        return step(self, *arguments, **more)

    monkeypatch.setattr(WidePerceptrons, "step", noting)
    trained(perceptron())
    assert seen == {(1, False)}


def test_progress_counts_all_groups(
    fastest: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fastest(WIDE[-1])
    told: list[int] = []
    monkeypatch.setattr(Progress, "update", lambda self, done, note="": told.append(done))
    trained(perceptron())
    assert told == sorted(told)
    assert len(told) == 3 * RECIPE.epochs  # three groups
    assert told[-1] == R * RECIPE.epochs


def test_a_loss_that_is_not_finite_is_an_error_that_names_the_replica(
    fastest: Callable[[str], None],
) -> None:
    fastest(WIDE[-1])
    networks = [perceptron() for _ in range(R)]
    with torch.no_grad():
        networks[3].get_parameter("1.weight").fill_(1e30)
    with pytest.raises(NonFiniteLossError, match="replica 3"):
        fit_replicas(networks, INPUTS, LABELS, recipe=RECIPE, stop=())


@pytest.mark.parametrize("pressed", ["in a thread", "in the terminal"])
def test_ctrl_c_ends_all_groups_and_keeps_what_they_are(
    pressed: str, fastest: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fastest(WIDE[-1])
    calls = []

    def press(self: Progress, done: int, note: str = "") -> None:
        calls.append(done)
        if len(calls) != 5:
            return
        if pressed == "in a thread":
            raise KeyboardInterrupt
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Progress, "update", press)
    long = replace(RECIPE, epochs=1_000_000)
    report = trained(perceptron(), recipe=long)
    assert report.stopped_by == ("interrupted",) * R
    assert report.epochs[:4].sum() >= 1
    assert report.epochs[4] == 0  # its group had not begun
    begun = report.epochs > 0
    assert (report.train_accuracy[begun] >= 0).all()
    assert len(report.logits(INPUTS)) == R


def test_two_calls_at_once_leave_the_number_of_threads(fastest: Callable[[str], None]) -> None:
    fastest(WIDE[-1])
    expected = np.array(trained(perceptron()).losses)
    found: list[Any] = []
    calls = [
        threading.Thread(target=lambda: found.append(trained(perceptron()).losses))
        for _ in range(2)
    ]
    for each in calls:
        each.start()
    waiting.until(lambda: not any(each.is_alive() for each in calls), "the end of both calls")
    assert len(found) == 2
    for losses in found:  # a thread that begins meanwhile may find one core to itself, no more
        assert_allclose(losses, expected, rtol=1e-4, atol=1e-5)


def test_ctrl_c_while_the_ways_are_timed_hangs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    submit = ThreadPoolExecutor.submit

    def pressed(self: ThreadPoolExecutor, *arguments: Any) -> Any:
        submit(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadPoolExecutor, "submit", pressed)
    with pytest.raises(KeyboardInterrupt):
        trained(perceptron())


def test_ctrl_c_while_groups_are_handed_out_ends_those_under_way(
    fastest: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    fastest(WIDE[-1])
    submit = ThreadPoolExecutor.submit

    def pressed(self: ThreadPoolExecutor, *arguments: Any) -> Any:
        submit(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(ThreadPoolExecutor, "submit", pressed)
    report = trained(perceptron(), recipe=replace(RECIPE, epochs=1_000_000))
    assert report.stopped_by == ("interrupted",) * R


def test_one_thread_that_cannot_be_tried_hangs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    steps, step_of = itertools.count(), _replica_plan._step_of

    def failing(plan: Any, *arguments: Any) -> Any:
        if plan.threads == 2 and next(steps) == 1:
            raise MemoryError
        return step_of(plan, *arguments)

    monkeypatch.setattr(_replica_plan, "_step_of", failing)
    assert trained(perceptron()).strategy == "loop"


@pytest.mark.parametrize(("seconds", "threads"), [(0.5, 2), (1.1, 2), (1.3, 1)])
def test_products_are_divided_where_that_is_clearly_faster(
    seconds: float, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = {WIDE[0]: 1.0, WIDE[-1]: seconds}
    monkeypatch.setattr(
        _replica_plan, "_seconds_per_replica", lambda plan, *_: timed.get(plan.name, 2.0)
    )
    monkeypatch.setattr(_replica_plan, "_timed_loop", lambda *_: 2.0)
    report = trained(perceptron())
    assert (report.strategy, report.threads, report.product_threads) == (
        "wide",
        threads,
        3 - threads,
    )


@pytest.mark.parametrize(
    ("operations", "expected"), [(3e7, (R, 1, 1)), (0, (2, 2, 1))], ids=["little", "much"]
)
def test_a_job_that_is_not_worth_measuring_divides_no_products(
    operations: float, expected: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_replica_plan, "_WORTH_MEASURING_PERCEPTRONS", 1_000_000)
    monkeypatch.setattr(_replica_plan, "_OPERATIONS_FOR_GROUPS", operations)
    seen: set[int] = set()
    step = WidePerceptrons.step

    def noting(self: WidePerceptrons, *arguments: Any, **more: Any) -> Tensor:
        seen.add(torch.get_num_threads())
        return step(self, *arguments, **more)

    monkeypatch.setattr(WidePerceptrons, "step", noting)
    report = trained(perceptron())
    assert report.seconds_per_step == {}
    assert (report.group, report.threads, report.product_threads) == expected
    assert seen == {1}
