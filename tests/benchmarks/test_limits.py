"""Limits: operations and bytes counted by hand, times by rates that are known."""

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import corruptlab as cl
from benchmarks import _limits
from benchmarks._limits import Rates, products_of, rate_text, training_flops, update_bytes
from tests.fake_gpu import FakeGPU

CPU = torch.device("cpu")
RATES = Rates(products={"float32": 100e9, "bfloat16": 1e12}, copies=20e9, words=50e6)


def test_limit_has_a_part_for_each_kind_of_work() -> None:
    parts = RATES.limit(flops=200e9, moved=5e9, words=25e6)
    assert [part.what for part in parts] == ["products", "bytes moved", "random words"]
    assert [part.seconds for part in parts] == [2.0, 0.25, 0.5]
    assert [part.rate for part in parts] == [100e9, 20e9, 50e6]
    assert [part.unit for part in parts] == ["FLOP/s", "B/s", "words/s"]


@pytest.mark.parametrize(
    ("execution", "what", "seconds"),
    [
        (cl.Execution(), "products", 2.0),
        (cl.Execution(precision="bfloat16"), "products in bfloat16", 0.2),
        (cl.Execution(precision="bfloat16", tf32=True), "products in bfloat16", 0.2),
        (cl.Execution(tf32=True), "products in tf32", 2.0),  # as float32 where it is not known
    ],
)
def test_limit_is_that_of_the_type_of_the_products(
    execution: cl.Execution, what: str, seconds: float
) -> None:
    (part,) = RATES.limit(flops=200e9, products=products_of(execution))
    assert (part.what, part.seconds, part.rate) == (what, seconds, 200e9 / seconds)


def test_a_gpu_is_measured_in_each_of_its_types(
    fake_gpu: FakeGPU, monkeypatch: pytest.MonkeyPatch
) -> None:
    factors = []
    product = torch.mm

    def noted(a: torch.Tensor, b: torch.Tensor, **options: torch.Tensor) -> torch.Tensor:
        factors.append((a.dtype, torch.backends.cuda.matmul.allow_tf32))
        return product(a, b, **options)

    monkeypatch.setattr(torch, "mm", noted)
    rates = _limits.measured_rates(torch.device("cuda:0"), side=8)
    assert list(rates.products) == ["float32", "tf32", "bfloat16"]
    kinds = [(torch.float32, False), (torch.float32, True), (torch.bfloat16, False)]
    assert list(dict.fromkeys(factors)) == kinds


def test_limit_leaves_out_what_is_not_done() -> None:
    assert [part.what for part in RATES.limit(moved=1)] == ["bytes moved"]
    assert RATES.limit() == ()


def test_operations_of_a_step_of_an_mlp_are_those_of_its_products() -> None:
    b, d, width, k = 8, 30, 16, 5
    model = cl.mlp(width, input_shape=(d,), num_classes=k)
    # Forward, gradient to the weights, and to the hidden units: none to the inputs.
    by_hand = 2 * b * (2 * d * width + 3 * width * k)
    assert training_flops(model, torch.randn(b, d)) == by_hand
    assert all(each.grad is None for each in model.parameters())


def test_operations_of_a_convolution_are_counted_by_place() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(4 * 36, 2))
    forward = 2 * 5 * (36 * 4 * 27 + 2 * 4 * 36)
    # The convolution has no gradient to its inputs.
    by_hand = 2 * forward + 2 * 5 * 2 * 4 * 36
    assert training_flops(model, torch.randn(5, 3, 6, 6)) == by_hand


def test_an_update_reads_three_numbers_a_parameter_and_writes_two() -> None:
    assert update_bytes(1000) == (3 + 2) * 4 * 1000


def test_seconds_are_of_the_work_and_the_least_of_all_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, takes = [0.0], iter([3.0, 1.0, 5.0])

    def work() -> None:
        now[0] += next(takes)

    monkeypatch.setattr(_limits, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    assert _limits.least_seconds(work, CPU, rounds=3) == 1.0
    assert now == [9.0]


def test_rates_of_a_machine_are_measured_by_work_of_the_stated_size(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_limits, "least_seconds", lambda work, device: [work(), 0.5][1])
    rates = _limits.measured_rates(CPU, side=8)
    assert rates.products["float32"] == 2 * 8**3 / 0.5
    assert (rates.copies, rates.words) == (2 * 4 * 3 * 64 / 0.5, 2e6)


def test_measured_rates_are_those_of_a_machine() -> None:
    rates = _limits.measured_rates(CPU, side=64)
    measured = [rates.products["float32"], rates.copies, rates.words]
    assert all(math.isfinite(rate) and rate > 1e5 for rate in measured)


@pytest.mark.parametrize(
    ("rate", "unit", "text"),
    [
        (178.4e9, "FLOP/s", "178 GFLOP/s"),
        (31.32e9, "B/s", "31.3 GB/s"),
        (110e6, "words/s", "110 Mwords/s"),
        (67e12, "FLOP/s", "67 TFLOP/s"),
    ],
)
def test_rates_are_told_as_people_say_them(rate: float, unit: _limits.Unit, text: str) -> None:
    assert rate_text(rate, unit) == text
