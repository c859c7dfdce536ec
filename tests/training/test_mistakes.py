"""What people get wrong the first time is one clear error, before the first step."""

import re
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import corruptlab as cl
from corruptlab import Recipe, fit, small_inception
from corruptlab.training import NonFiniteLossError

from .cases import RECIPE, network, points

SHORT = replace(RECIPE, epochs=2)


class Giving(nn.Module):
    """A network that makes something else of its scores.

    Args:
        make: What; called with the scores and with whether it is training.
    """

    def __init__(self, make: Any) -> None:
        super().__init__()
        self.body, self.make = network(), make

    def forward(self, x: Tensor) -> Any:
        return self.make(self.body(x), self.training)


class Endless(IterableDataset[Any]):
    """A data set without a length."""

    def __iter__(self) -> Any:
        yield points()[0]


def single_values(n: int = 20) -> TensorDataset:
    return TensorDataset(torch.arange(float(n))[:, None], torch.arange(n) % 3)


def numbers(n: int = 20) -> TensorDataset:
    return TensorDataset(torch.arange(5 * n).reshape(n, 5) % 7, torch.arange(n) % 3)


def normalized(layer: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 8), layer, nn.Linear(8, 3))


SCORES = "`model` must return one row of class scores for each input, floats of shape (n, num_cl"
ONE_LOSS = "`loss` must take outputs (b, num_classes) and integer labels (b,), and return their mea"
SPACED = replace(SHORT, whiten=True)

MISTAKES: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "a class for a model": (
        {"model": nn.Linear},
        TypeError,
        "`model` must be a torch.nn.Module, got the class Linear; call it, because `fit` trains "
        "the network itself.",
    ),
    "a function for a model": (
        {"model": print},
        TypeError,
        "`model` must be a torch.nn.Module, got builtin_function_or_method; call it, because `fit` "
        "trains the network itself.",
    ),
    "a dictionary of outputs": (
        {"model": Giving(lambda scores, _: {"scores": scores})},
        ValueError,
        "got dict; wrap it in a module that returns them from it.",
    ),
    "complex outputs": (
        {"model": Giving(lambda scores, _: torch.complex(scores, scores))},
        ValueError,
        f"{SCORES}asses), got torch.complex64.",
    ),
    "classes for outputs": (
        {"model": Giving(lambda scores, _: scores.round().long())},
        ValueError,
        f"{SCORES}asses), got torch.int64.",
    ),
    "auxiliary outputs": (
        {"model": Giving(lambda scores, training: (scores, scores) if training else scores)},
        TypeError,
        "`model` must return class scores alone in training mode too, got tuple.",
    ),
    "a loader for a data set": (
        {"train": DataLoader(points())},
        TypeError,
        "`train` must be map-style, with __len__ and __getitem__, got DataLoad",
    ),
    "an endless data set": (
        {"test": Endless()},
        TypeError,
        "`test` must be map-style, with __len__ and __getitem__, got Endless.",
    ),
    "whitened words": (
        {"train": numbers(), "recipe": SPACED},
        TypeError,
        "`recipe.whiten` must be False for inputs that are neither bytes nor floats, got True for "
        "torch.int64 in `train`.",
    ),
    "whitened single values": (
        {"train": single_values(), "recipe": SPACED},
        ValueError,
        "`recipe.whiten` must be False for inputs of a single value, of which it would leave 0, "
        "got True for shape (1,) in `train`.",
    ),
    "a nan among single numbers": (
        {"train": TensorDataset(torch.tensor([0.0, torch.nan]), torch.tensor([0, 1]))},
        ValueError,
        "`train` must hold finite inputs, got nan or inf in example 1.",
    ),
    "the name of a loss": (
        {"loss": "cross_entropy"},
        TypeError,
        "`loss` must be a function of outputs and labels, such as torch.nn.CrossEntropyLoss(), "
        "got str.",
    ),
    "the class of a loss": (
        {"loss": nn.CrossEntropyLoss},
        TypeError,
        "such as torch.nn.CrossEntropyLoss(), got the class CrossEntropyLoss.",
    ),
    "a loss for each example": (
        {"loss": nn.CrossEntropyLoss(reduction="none")},
        ValueError,
        f"{ONE_LOSS}n loss, a tensor of shape (), got shape (2,).",
    ),
    "a loss that is no tensor": (
        {"loss": lambda outputs, labels: 1.0},
        ValueError,
        f"{ONE_LOSS}n loss, a tensor of shape (), got float.",
    ),
    "a loss of other shapes": (
        {"loss": lambda outputs, labels: (outputs - labels[:, None, None].expand(2, 5, 4)).mean()},
        ValueError,
        f"{ONE_LOSS}n loss, a tensor of shape (), got the error: The size of tensor a",
    ),
    "an optimizer for a function": (
        {"optimizer": torch.optim.SGD(network().parameters(), lr=0.1)},
        TypeError,
        "`optimizer` must be a function that makes one from the parameters, such as "
        "functools.partial(torch.optim.SGD, lr=0.1), got SGD.",
    ),
    "the name of an optimizer": (
        {"optimizer": "adam"},
        TypeError,
        "functools.partial(torch.optim.SGD, lr=0.1), got str.",
    ),
    "an optimizer with a closure": (
        {"optimizer": torch.optim.LBFGS},
        TypeError,
        "`optimizer` must make an optimizer whose step needs no arguments, got LBFGS, which needs "
        "closure.",
    ),
    "the name of a rule": (
        {"stop": "interpolated"},
        TypeError,
        "`stop` must hold stopping rules, objects with a name and a method `met`, got 'interpolat",
    ),
    "a flag for a folder": (
        {"checkpoint": True},
        TypeError,
        "`checkpoint` must be the path of a folder, got True.",
    ),
    "a lone example for batch norm": (
        {"model": normalized(nn.BatchNorm1d(8)), "train": points(31)},
        ValueError,
        "`recipe.batch_size` must leave batch norm more than one value a channel in every batch, "
        "got 10, with which one of the 31 examples is alone in the last.",
    ),
    "batches of one for batch norm": (
        {"model": normalized(nn.BatchNorm1d(8)), "recipe": replace(SHORT, batch_size=1)},
        ValueError,
        "got 1, with which one of the 60 examples is alone in the last.",
    ),
}


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_one_clear_error(what: str) -> None:
    changes, kind, message = MISTAKES[what]
    arguments: dict[str, Any] = {"model": network(), "train": points(), "recipe": SHORT, **changes}
    with pytest.raises(kind, match=re.escape(message)):
        fit(arguments.pop("model"), arguments.pop("train"), **arguments)


def test_only_batch_norm_over_a_single_place_minds_a_lone_example() -> None:
    """Its statistics are over places too, and other layers do not take any over a batch."""
    images = TensorDataset(torch.rand(3, 1, 4, 4), torch.arange(3))
    recipe = Recipe(learning_rate=0.01, epochs=1, batch_size=2, whiten=True, decay=0.95)
    with pytest.raises(ValueError, match="got 2, with which one of the 3 examples is alone"):
        fit(small_inception(input_shape=(1, 4, 4), num_classes=3), images, recipe=recipe)
    larger = TensorDataset(torch.rand(3, 1, 8, 8), torch.arange(3))
    assert fit(small_inception(input_shape=(1, 8, 8)), larger, recipe=recipe).steps == 2
    assert fit(normalized(nn.LayerNorm(8)), points(31), recipe=SHORT).steps == 8
    assert fit(normalized(nn.BatchNorm1d(8)), points(32), recipe=SHORT).steps == 8


def test_trying_the_network_leaves_no_hook_and_no_trace_in_its_statistics() -> None:
    model = normalized(layer := nn.BatchNorm1d(8))
    with pytest.raises(ValueError, match="more than one value a channel"):
        fit(model, points(31), recipe=SHORT)
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert int(layer.num_batches_tracked or 0) == 0
    assert model.training


class Words(nn.Module):
    """A classifier of short texts with lazy layers."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.out = nn.Embedding(7, 4), nn.LazyLinear(3)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.out(self.words(x).flatten(1))
        return scores


def test_words_lazy_layers_and_single_numbers_train() -> None:
    assert fit(Words(), numbers(), recipe=SHORT).steps == 4
    single = nn.Sequential(nn.Unflatten(0, (-1, 1)), nn.Linear(1, 3))
    data = TensorDataset(torch.arange(20.0), torch.arange(20) % 3)
    assert fit(single, data, recipe=SHORT).steps == 4


def test_losses_and_optimizers_of_every_kind_train() -> None:
    smooth = partial(cross_entropy, label_smoothing=0.1)
    for loss in (smooth, nn.CrossEntropyLoss(label_smoothing=0.1)):
        for optimizer in (torch.optim.Adam, partial(torch.optim.SGD, lr=0.1)):
            assert (
                fit(network(), points(), recipe=SHORT, loss=loss, optimizer=optimizer).steps == 12
            )


@pytest.mark.parametrize("role", ["train", "test", "validation"])
def test_errors_about_items_name_the_argument(role: str) -> None:
    served = {"train": points(), role: [(torch.zeros(6), None)]}
    with pytest.raises(TypeError, match=rf"^`{role}` must have labels that are one integer class"):
        fit(network(), **served, recipe=SHORT)  # type: ignore[arg-type]  # the mistake


def test_a_pair_of_arrays_is_a_data_set() -> None:
    inputs, targets = points().tensors
    pair: Any = inputs.numpy(), targets.numpy()
    expected = fit(network(), points(), points(20), recipe=SHORT).losses
    assert fit(network(), pair, points(20), recipe=SHORT).losses == expected


def test_an_optimizer_of_another_network_is_an_error_before_the_first_step() -> None:
    other, model = network(), network()
    with pytest.raises(ValueError, match=r"^`optimizer` must make an optimizer of the parameters"):
        fit(model, points(), recipe=SHORT, optimizer=lambda _: torch.optim.SGD(other.parameters()))
    with pytest.raises(ValueError, match=r"^`optimizer` must make an optimizer of the parameters"):
        fit(model, points(), recipe=SHORT, optimizer=lambda p: torch.optim.SGD(
            [each.detach().clone().requires_grad_() for each in p]))  # fmt: skip


class Idle(torch.optim.SGD):
    def step(self, closure: Any = None) -> Any:
        """Do nothing."""


class Detached(nn.Module):
    """Scores that one parameter cannot change, and another can."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.bias = network(), nn.Parameter(torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.body(x).detach()
        return out + self.bias


def test_a_fit_that_changes_nothing_is_an_error_that_says_why() -> None:
    with pytest.raises(ValueError, match=r"^`model` must change .* the step of Idle does nothing"):
        fit(network(), points(), recipe=SHORT, optimizer=Idle)
    model = Detached()
    with pytest.raises(
        ValueError, match=r"^`model` must change in training, .* not depend on them"
    ):
        fit(model, points(), recipe=SHORT, optimizer=lambda p: torch.optim.SGD(p[1:], lr=0.1))
    model.bias.requires_grad_(False)
    with pytest.raises(ValueError, match=r"^`model` and `loss` must compute a loss that depends"):
        fit(model, points(), recipe=SHORT)


def test_a_part_of_the_parameters_may_be_trained_and_a_tiny_rate_may_change_nothing() -> None:
    fit(network(), points(), recipe=SHORT, optimizer=lambda p: torch.optim.SGD(p[-2:], lr=0.1))
    fit(network(), points(), recipe=replace(SHORT, learning_rate=1e-30))


def test_a_sharded_network_is_refused_by_name() -> None:
    class FSDPModule:
        """What fully_shard adds to the bases of a layer's class."""

    class Sharded(FSDPModule, nn.Linear):
        pass

    with pytest.raises(TypeError, match=r"^`model` must hold .* under fully_shard \(FSDP2\)"):
        fit(nn.Sequential(Sharded(6, 3)), points(), recipe=SHORT)


class Moody(nn.Module):
    """A network that is finite in training only."""

    def __init__(self) -> None:
        super().__init__()
        self.body = network()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.body(x)
        return out if self.training else out * torch.nan


def test_a_loss_that_is_not_finite_in_evaluation_mode_alone_is_told_as_that() -> None:
    with pytest.raises(
        NonFiniteLossError, match="in evaluation mode the outputs are not"
    ) as caught:
        fit(Moody(), points(), recipe=SHORT)
    assert caught.value.step == 12
    assert "learning rate" not in str(caught.value)


def test_a_last_step_that_ruins_the_weights_had_too_high_a_rate() -> None:
    class Ruining(torch.optim.SGD):
        left = 12

        def step(self, closure: Any = None) -> Any:
            Ruining.left -= 1
            for parameter in self.param_groups[0]["params"] if Ruining.left == 0 else []:
                parameter.data.fill_(torch.inf)

    with pytest.raises(NonFiniteLossError, match=r"at step 12: the learning rate 0\.1 is probably"):
        fit(network(), points(), recipe=SHORT, optimizer=Ruining)


def test_a_network_that_cannot_be_copied_is_one_error_wherever_it_is_copied() -> None:
    class Keeping(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.last = super().forward(x)
            return self.last

    inputs, targets = points().tensors
    kept = Keeping(6, 3)
    kept(inputs)
    refused = r"^`model` must be a network that copy.deepcopy copies, got the error: Only Tensors"
    with pytest.raises(ValueError, match=refused):
        cl.fit_replicas(kept, inputs, targets[None], recipe=SHORT)
    with pytest.raises(ValueError, match=refused):
        cl.permutation_test(kept, points(), folds=2, recipe=SHORT, permutations=19)
    with pytest.raises(ValueError, match=refused):
        cl.randomization_test(kept, points(), recipe=SHORT, settings=["true"])
    with pytest.raises(ValueError, match=refused):
        cl.capacity.effective_capacity(kept, inputs, recipe=SHORT)


def test_inference_mode_changes_nothing_or_is_refused() -> None:
    inputs, targets = points().tensors
    model, net = network(), lambda: network()
    expected = cl.fit_replicas(model, inputs, targets[None], recipe=SHORT).losses
    with torch.inference_mode():
        made = network()
        assert cl.fit_replicas(model, inputs, targets[None], recipe=SHORT).losses == expected
        assert cl.fit_replicas(made, inputs, targets[None], recipe=SHORT).losses == expected
        for source in (model, net):
            found = cl.randomization_test(source, points(), recipe=SHORT, settings=["true"])
            assert found.rows[0].fit.steps == 12
    with pytest.raises(ValueError, match=r"^`model` must be made outside torch.inference_mode"):
        fit(made, points(), recipe=SHORT)
