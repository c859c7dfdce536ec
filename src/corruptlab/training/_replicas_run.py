"""Train the replicas of one program, each until it interpolates."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from corruptlab._structured import Inputs
from corruptlab.training._data import data_order
from corruptlab.training._metrics import NonFiniteLossError
from corruptlab.training._recipe import Recipe
from corruptlab.training._replica_engines import Program, SGDStep, State

_MEASURED_AT_ONCE = 256
_NUMBERS_AT_ONCE = 1 << 20  # inputs and labels that are gathered in one call


@dataclass
class Outcome:
    """What became of one replica."""

    state: State
    stopped_by: str = "interrupted"
    epochs: int = 0
    losses: list[float] = field(default_factory=list)
    train_accuracy: float = math.nan
    train_loss: float = math.nan
    recipe: Recipe | None = None  # with statistics of its own, if it has any


def state_of(network: nn.Module) -> State:
    """Return the tensors of a network, in memory of their own."""
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


@dataclass(frozen=True)
class Problem:
    """What all replicas of a group are trained on."""

    inputs: Inputs  # as the networks take them, (n, ...)
    labels: Tensor  # int64, (R, n)
    subsets: Tensor | None  # positions of each replica's own examples, (R, m); None for all
    recipe: Recipe
    seed: int
    first: int  # number of the first replica, for errors
    early: bool  # whether a replica stops when it interpolates

    @property
    def size(self) -> int:
        """Examples that each replica is trained on."""
        return self.labels.shape[1] if self.subsets is None else self.subsets.shape[1]

    def of(self, replicas: Tensor | slice) -> "Problem":
        """Return the same for some replicas."""
        subsets = None if self.subsets is None else self.subsets[replicas]
        return replace(self, labels=self.labels[replicas], subsets=subsets)

    def batch(self, at: Tensor) -> tuple[Any, Tensor]:
        """Return inputs and labels of the replicas, at the same places of each one's examples."""
        if self.subsets is None:
            return self.inputs[at], self.labels[:, at]
        rows = self.subsets[:, at]
        return self.inputs[rows], self.labels.gather(1, rows)

    def batches(self, order: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield batches in an order: as many as are small are gathered at once."""
        size, replicas, shared = self.recipe.batch_size, len(self.labels), self.subsets is None
        assert isinstance(self.inputs, Tensor)  # several fields are trained on one by one
        numbers = self.inputs[0].numel() * (1 if shared else replicas) + replicas
        at_once = size * max(1, _NUMBERS_AT_ONCE // (size * numbers))
        for some in torch.split(order, at_once):
            inputs, targets = self.batch(some)
            yield from zip(
                torch.split(inputs, size, dim=0 if shared else 1),
                torch.split(targets, size, dim=1),
                strict=True,
            )


class Run:
    """A group of replicas from their first step to wherever each of them stops.

    One that interpolates, if that stops it, is taken out with its state, so that it stands exactly
    where a fit of its own would have stopped; the others go on without it.
    """

    def __init__(
        self, program: Program, problem: Problem, ended: Callable[[], bool] = lambda: False
    ) -> None:
        self._program, self._problem, self._ended = program, problem, ended
        count = len(problem.labels)
        self.outcomes = [Outcome(program.state(replica)) for replica in range(count)]
        self._alive = list(range(count))

    @torch.no_grad()
    def train(self, on_progress: Callable[[int], None]) -> None:
        """Train to the end; report the epochs of replicas that are done or no longer needed."""
        epochs = self._problem.recipe.epochs
        try:
            for epoch in range(epochs):
                self._epoch(epoch)
                if self._problem.early:
                    self._take_out("interpolated", self._interpolating())
                stopped = len(self.outcomes) - len(self._alive)
                on_progress(len(self._alive) * (epoch + 1) + stopped * epochs)
                if not self._alive:
                    return
            self._take_out("epochs", self._alive)
        except KeyboardInterrupt:
            self._take_out("interrupted", self._alive)
            raise

    def _epoch(self, epoch: int) -> None:
        problem = self._problem
        recipe, device = problem.recipe, problem.inputs.device
        update = SGDStep(recipe.learning_rate_in(epoch), recipe.momentum, recipe.weight_decay)
        order = data_order(problem.seed, epoch, problem.size).to(device)
        shared = problem.subsets is None
        losses: list[Tensor] = []
        try:
            for inputs, targets in problem.batches(order):
                if self._ended():  # Ctrl-C reaches the main thread only
                    raise KeyboardInterrupt
                losses.append(self._program.step(inputs, targets, update, shared=shared))
        finally:  # an epoch that Ctrl-C cut short has moved the weights too
            self._note(losses)
        for replica in self._alive:
            self.outcomes[replica].epochs += 1

    def _note(self, losses: list[Tensor]) -> None:
        if not losses:
            return
        of_all = torch.stack(losses, dim=1).cpu()
        if wrong := (~of_all.isfinite()).nonzero().tolist():
            place, step = wrong[0]
            replica = self._alive[place]
            before = len(self.outcomes[replica].losses)
            raise self._error(replica, before + step + 1, float(of_all[place, step]))
        for replica, recent in zip(self._alive, of_all.tolist(), strict=True):
            self.outcomes[replica].losses += recent

    def _error(self, replica: int, step: int, loss: float) -> NonFiniteLossError:
        rate = self._problem.recipe.learning_rate
        number = self._problem.first + replica
        cause = f"replica {number}, the learning rate {rate:g} is probably too high; try a tenth."
        return NonFiniteLossError(step, loss, cause)

    def _interpolating(self) -> list[int]:
        """Return the replicas that are right on every example, giving up when there is none."""
        device = self._problem.inputs.device
        perfect = torch.ones(len(self._alive), dtype=torch.bool, device=device)
        for number, (logits, targets) in enumerate(self._measured(), start=1):
            perfect &= (logits.argmax(dim=2) == targets).all(dim=1)
            # To look is to wait for a GPU, so there it is after 1, 2, 4, 8, ... batches.
            look = device.type == "cpu" or number & (number - 1) == 0
            if look and not perfect.any():
                break
        found = zip(self._alive, perfect.tolist(), strict=True)
        return [replica for replica, good in found if good]

    def _take_out(self, reason: str, replicas: list[int]) -> None:
        if not replicas:
            return
        hits_of_batches: list[Tensor] = []
        losses_of_batches: list[Tensor] = []
        for logits, targets in self._measured():
            hits_of_batches.append((logits.argmax(dim=2) == targets).sum(dim=1))
            each = cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
            losses_of_batches.append(each.view(targets.shape).sum(dim=1))
        hits, losses = (  # on the CPU, because not every device has float64
            torch.stack(batches).cpu().double().sum(dim=0)
            for batches in (hits_of_batches, losses_of_batches)
        )
        for place, replica in enumerate(self._alive):
            if replica in replicas:
                outcome = self.outcomes[replica]
                outcome.state, outcome.stopped_by = self._program.state(place), reason
                outcome.train_accuracy = hits[place].item() / self._problem.size
                outcome.train_loss = losses[place].item() / self._problem.size
        left = [place for place, replica in enumerate(self._alive) if replica not in replicas]
        if left:
            self._program.keep(left)
            self._problem = self._problem.of(torch.tensor(left, device=self._problem.labels.device))
        self._alive = [self._alive[place] for place in left]

    def _measured(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield outputs, ``(R, b, num_classes)``, and labels, ``(R, b)``, of those under way."""
        problem = self._problem
        places = torch.arange(problem.size, device=problem.inputs.device)
        for first in range(0, problem.size, _MEASURED_AT_ONCE):
            inputs, targets = problem.batch(places[first : first + _MEASURED_AT_ONCE])
            yield self._program.logits(inputs, shared=problem.subsets is None), targets
