"""Train copies of one network on many label sets as one program."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from corruptlab._arrays import check_classes, check_dense, check_finite
from corruptlab._checks import instance
from corruptlab._data import Pair, columns
from corruptlab._draws import Draws
from corruptlab._environment import Environment
from corruptlab._memory import full_memory
from corruptlab._modules import (
    ModelSource,
    check_module,
    copied,
    network_of,
    preserve_mode,
    resolve_device,
    scores_of,
)
from corruptlab._progress import Progress
from corruptlab._random_state import exclusive_generators
from corruptlab._structured import Inputs, ModelInputs, StructuredInputs, outputs_of
from corruptlab._threads import using_threads
from corruptlab.training._contexts import (
    dropout_of,
    float32_products,
    recording_gradients,
)
from corruptlab.training._distributed import Processes
from corruptlab.training._first_batch import check_batch_norm
from corruptlab.training._fit import fit
from corruptlab.training._metrics import check_gradient
from corruptlab.training._optimizers import trainable_parameters
from corruptlab.training._recipe import Recipe
from corruptlab.training._replica_groups import Groups
from corruptlab.training._replica_plan import Choice, plan_for
from corruptlab.training._replicas_run import Outcome, Problem, state_of
from corruptlab.training._report import ReplicasReport
from corruptlab.training._standardization import warn_of_constants
from corruptlab.training._stopping import StoppingRule, checked_rules, interpolated

_UNTIL_INTERPOLATED = (interpolated(),)


def fit_replicas(
    model: ModelSource | Sequence[nn.Module],
    inputs: ModelInputs,
    labels: Tensor,
    *,
    recipe: Recipe,
    seed: int = 0,
    subsets: Tensor | None = None,
    stop: StoppingRule | Sequence[StoppingRule] = _UNTIL_INTERPOLATED,
    strategy: Choice = "auto",
    device: torch.device | str | None = None,
    progress: bool = False,
) -> ReplicasReport:
    """Train R copies of a network on R label sets, each until it interpolates its own.

    Replica r equals the result of
    ``fit(copy_of_model, (inputs, labels[r]), recipe=recipe, seed=seed)`` with the same ``stop``, up
    to rounding (about 1e-5 of a loss, growing during training; bitwise with ``strategy="loop"``).
    All replicas have the same data order. A replica that has stopped takes no more time.

    There are three strategies. ``"wide"`` is for perceptrons (``Flatten``, ``Linear``, and ``ReLU``
    in a ``Sequential``): weights are stacked, and if replicas share their inputs, the first layer
    is one wide product. ``"vmap"`` uses ``torch.func`` for any network, including batch norm.
    ``"loop"`` calls `fit` for each replica. ``"auto"`` times a few steps of the applicable
    strategies on copies and chooses the fastest: on the CPU groups of replicas, each in a thread of
    its own, as large as possible or small enough for the cache of the processor, and all replicas
    at once, with every product divided among the threads. Short trainings are not timed: a
    perceptron then uses one thread, or, in steps of 30 million operations or more, groups.

    Dropout, augmentation, bfloat16, optimizers other than plain SGD, frozen or shared parameters,
    backward hooks, inputs with several fields, and statistics of each subset (``standardize``)
    require the loop. Ctrl-C ends the training and returns the report so far.

    Args:
        model: A network that is copied, a function without arguments that returns it (called for
            every copy, with PyTorch's generator seeded by ``seed``), or R networks of one
            architecture with their own initial weights. They are not changed.
        inputs: All inputs, shape ``(n, ...)``: bytes or floats, cropped and whitened by the
            recipe, as in `fit`; or a dictionary or tuple of such tensors, which the model gets as
            keyword or positional arguments.
        labels: ``int64``, shape ``(R, n)``: row r contains the labels of replica r.
        recipe: Hyper-parameters.
        seed: Seed of the data order; an integer >= 0.
        subsets: Positions ``(R, m)``, ``int64``: replica r is trained on examples ``subsets[r]``
            only. None for all examples.
        stop: ``interpolated()``, alone or in a list, or ``()`` for all epochs. Other rules are not
            supported.
        strategy: Strategy of the training.
        device: Device of the training; None for the device of the network.
        progress: Whether to show progress on standard error.

    Returns:
        The report, which contains the trained networks; see `ReplicasReport`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If shapes do not agree, a label or position is out of range, an input is not
            finite, architectures differ, or ``strategy`` does not apply.
        MemoryError: If the memory of the device is full.
        NonFiniteLossError: If the loss of a replica becomes infinite or not a number; the message
            names the replica.

    Example:
        >>> import torch
        >>> import corruptlab as cl
        >>> images, _ = cl.datasets.fashion_mnist_mini("train").tensors
        >>> labels = torch.arange(400).reshape(4, 100) % 10
        >>> report = cl.fit_replicas(cl.mlp(32, input_shape=(1, 28, 28)), images[:100], labels,
        ...                          recipe=cl.Recipe(learning_rate=0.05, decay=1.0, epochs=150))
        >>> report.interpolated
        array([ True,  True,  True,  True])

    Source: Zhang et al. 2017, §2: the same network trained on different labels.
    """
    networks = _networks(model, labels, seed)
    given = _checked_inputs(inputs, labels)
    _check(given, labels, subsets, recipe, strategy)
    early = _stops_early(stop)
    Draws(seed)
    start = time.perf_counter()
    device = resolve_device(networks[0], device)
    total = len(networks) * recipe.epochs
    advice = (
        f"The memory of {device} is full with {len(networks)} replicas and batches of "
        f"{recipe.batch_size}; try fewer replicas in a call, strategy='loop', or a smaller "
        "`recipe.batch_size`."
    )
    with full_memory(advice), recording_gradients():
        own = copied(networks[0]).to(device)
        networks = [own if n is networks[0] else _on_device(n, device) for n in networks]
        common = _common_recipe(recipe, given, subsets)
        problem = _problem(networks[0], given.to(device), labels, subsets, common, seed, early)
    with (
        full_memory(advice),
        recording_gradients(),
        dropout_of(networks[0], recipe.dropout),
        float32_products(device, tf32=False),
        exclusive_generators(),  # and the number of threads, which is the process's, too
        Progress(total, "replicas", show=progress) as line,
    ):
        plan = plan_for(strategy, networks, problem)
        if plan.strategy == "loop":
            outcomes = _one_by_one(networks, given, problem, line)
        else:
            outcomes = Groups(plan, networks, problem, line.update).train()
    return ReplicasReport(
        stopped_by=tuple(outcome.stopped_by for outcome in outcomes),
        epochs=np.array([outcome.epochs for outcome in outcomes], np.int64),
        losses=tuple(tuple(outcome.losses) for outcome in outcomes),
        train_accuracy=np.array([outcome.train_accuracy for outcome in outcomes]),
        train_loss=np.array([outcome.train_loss for outcome in outcomes]),
        strategy=plan.strategy,
        group=plan.group,
        threads=plan.threads,
        product_threads=plan.product_threads,
        seconds_per_step=plan.seconds_per_step,
        seconds=time.perf_counter() - start,
        recipe=common,
        seed=seed,
        environment=Environment.here(device),
        _network=networks[0],
        _states=tuple(outcome.state for outcome in outcomes),
        _recipes=tuple(outcome.recipe or common for outcome in outcomes),
    )


def _common_recipe(recipe: Recipe, inputs: Inputs, subsets: Tensor | None) -> Recipe:
    """Return the recipe with the statistics that all replicas share, if they share their inputs."""
    if subsets is not None:
        return recipe
    common = recipe.with_statistics_of(inputs)
    if recipe.needs_statistics and isinstance(inputs, Tensor):
        shape = recipe.input_shape(inputs.shape[1:])
        warn_of_constants(common.standardize, shape, "inputs", stacklevel=4)
    return common


def _problem(
    network: nn.Module,
    inputs: Inputs,
    labels: Tensor,
    subsets: Tensor | None,
    recipe: Recipe,
    seed: int,
    early: bool,
) -> Problem:
    """Prepare the inputs, and reject what does not suit the network."""
    recipe.check_inputs(inputs)
    check_finite(inputs, "inputs")
    # Replicas with statistics of their own are fitted one by one, and prepared there.
    prepared = recipe.with_statistics_of(inputs).prepare(inputs)
    check_finite(prepared, "inputs")
    problem = Problem(
        inputs=prepared,
        labels=labels.to(inputs.device),
        subsets=None if subsets is None else subsets.to(inputs.device),
        recipe=recipe,
        seed=seed,
        first=0,
        early=early,
    )
    trainable_parameters(network)
    with using_threads(1), preserve_mode(network), torch.enable_grad():
        scores = scores_of(network, prepared[:2].clone())
        check_gradient(outputs_of(network.eval(), prepared[:2].clone()))
    check_classes(labels, "`labels`", num_classes=scores.shape[1])
    alone = Processes(0, 1, inputs.device)
    check_batch_norm(network, prepared[:1].clone, problem.size, recipe.batch_size, alone)
    return problem


def _one_by_one(
    networks: list[nn.Module], inputs: Inputs, problem: Problem, line: Progress
) -> list[Outcome]:
    outcomes = [Outcome(state_of(network)) for network in networks]
    for replica, network in enumerate(networks):
        trained = copied(network)
        data = Pair(inputs, problem.labels[replica].cpu())
        if problem.subsets is not None:
            own = problem.subsets[replica].cpu()
            data = Pair(inputs[own], problem.labels[replica].cpu()[own])
        report = fit(
            trained,
            data,
            recipe=problem.recipe,
            seed=problem.seed,
            stop=_UNTIL_INTERPOLATED if problem.early else (),
            device=problem.inputs.device,
        )
        outcomes[replica] = Outcome(
            state=state_of(trained),
            stopped_by=report.stopped_by,
            epochs=report.epochs,
            losses=list(report.losses),
            train_accuracy=report.train_accuracy,
            train_loss=report.train_loss,
            recipe=report.recipe,
        )
        line.update((replica + 1) * problem.recipe.epochs)
        if report.stopped_by == "interrupted":
            break
    if problem.recipe.needs_statistics and problem.subsets is not None:  # also of the unfinished
        for outcome, own in zip(outcomes, problem.subsets.cpu(), strict=True):
            outcome.recipe = outcome.recipe or problem.recipe.with_statistics_of(inputs[own])
    return outcomes


def _networks(model: ModelSource | Sequence[nn.Module], labels: Any, seed: int) -> list[nn.Module]:
    if not isinstance(labels, Tensor):
        raise TypeError(f"`labels` must be a tensor, got {type(labels).__name__}.")
    if labels.ndim != 2 or len(labels) == 0:
        raise ValueError(f"`labels` must have shape (R, n) with R >= 1, got {tuple(labels.shape)}.")
    # A Sequential has a length too, but it is one network.
    if isinstance(model, Sequence):
        networks = list(model)
    else:
        networks = [network_of(model, seed=seed)] * len(labels)
    for network in networks:
        check_module(network)
    for network in dict.fromkeys(networks):
        if any(is_lazy(tensor) for tensor in _parameters_and_buffers(network)):
            raise ValueError(
                "`model` must have weights to be copied, got lazy layers without any; "
                "call it on an input first."
            )
    if len(networks) != len(labels):
        raise ValueError(
            f"`model` must be one network or {len(labels)}, one for each row of `labels`, "
            f"got {len(networks)}."
        )
    kinds = {network: _architecture(network) for network in dict.fromkeys(networks)}
    for number, network in enumerate(networks):
        if kinds[network] != kinds[networks[0]]:
            raise ValueError(
                f"`model` must hold networks of one architecture, got another at {number}."
            )
    return networks


def _checked_inputs(inputs: Any, labels: Tensor) -> Inputs:
    if isinstance(inputs, Tensor | StructuredInputs):
        return inputs
    if not isinstance(inputs, Mapping | tuple):
        raise TypeError(
            "`inputs` must be a tensor, or a dictionary or tuple of tensors, "
            f"got {type(inputs).__name__}."
        )
    return columns(inputs, labels.shape[1], "inputs").map(torch.as_tensor)


def _check(inputs: Inputs, labels: Tensor, subsets: Any, recipe: object, strategy: str) -> None:
    instance("recipe", recipe, Recipe)
    if strategy not in get_args(Choice):
        raise ValueError(f"`strategy` must be one of auto, wide, vmap, loop, got {strategy!r}.")
    check_dense(inputs, "inputs")
    check_dense(labels, "labels")
    if labels.dtype != torch.int64:
        raise TypeError(f"`labels` must be int64, got {labels.dtype}.")
    if len(inputs) != labels.shape[1] or len(inputs) == 0:
        raise ValueError(
            f"`inputs` must be as many as the columns of `labels`, {labels.shape[1]}, and at "
            f"least one, got {len(inputs)}."
        )
    if subsets is None:
        return
    if not isinstance(subsets, Tensor):
        raise TypeError(f"`subsets` must be a tensor, got {type(subsets).__name__}.")
    if subsets.ndim != 2 or len(subsets) != len(labels) or subsets.shape[1] == 0:
        raise ValueError(
            f"`subsets` must have shape ({len(labels)}, m) with m >= 1, got {tuple(subsets.shape)}."
        )
    if subsets.dtype != torch.int64:
        raise TypeError(f"`subsets` must be int64, got {subsets.dtype}.")
    low, high = (int(value) for value in subsets.aminmax())
    if low < 0 or high >= len(inputs):
        bad = low if low < 0 else high
        raise ValueError(f"`subsets` must lie in 0 .. {len(inputs) - 1}, got {bad}.")


def _parameters_and_buffers(network: nn.Module) -> list[Tensor]:
    return [*network.parameters(), *network.buffers()]


def _architecture(network: nn.Module) -> tuple[str, dict[str, torch.Size]]:
    # What prints alike has the same layers; equal shapes alone may hide another activation.
    return repr(network), {name: value.shape for name, value in network.state_dict().items()}


def _on_device(network: nn.Module, device: torch.device) -> nn.Module:
    """Return a network on a device: itself, to be read only, or a copy if it is elsewhere."""
    if all(tensor.device == device for tensor in _parameters_and_buffers(network)):
        return network
    return copied(network).to(device)


def _stops_early(stop: StoppingRule | Sequence[StoppingRule]) -> bool:
    rules = checked_rules(stop, has_test=False, has_validation=False)
    if rules and (len(rules) > 1 or not isinstance(rules[0], interpolated)):
        raise ValueError(
            "`stop` must be (interpolated(),) or (), because replicas know no other rule, got "
            f"{rules!r}."
        )
    return bool(rules)
