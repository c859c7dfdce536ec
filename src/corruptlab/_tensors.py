"""What several rooms ask of tensors of examples."""

from collections.abc import Sequence

from torch import Tensor


def check_finite(inputs: Tensor, name: str, ids: Sequence[int] | None = None) -> None:
    """Reject inputs that are infinite or nan; ``ids`` are their positions if not 0 .. n - 1."""
    # The sum of all is finite if and (but for overflow) only if all are: one fast pass.
    if not inputs.is_floating_point() or bool(inputs.sum().isfinite()):
        return
    finite = inputs.reshape(len(inputs), -1).isfinite().all(dim=1)
    if not bool(finite.all()):
        bad = int(finite.logical_not().nonzero()[0])
        example = bad if ids is None else ids[bad]
        raise ValueError(f"`{name}` must hold finite inputs, got nan or inf in example {example}.")


def check_classes(targets: Tensor, what: str, *, num_classes: int) -> None:
    """Reject classes that have no output."""
    low, high = (int(value) for value in targets.aminmax())
    if low < 0 or high >= num_classes:
        raise ValueError(
            f"{what} must lie in 0 .. {num_classes - 1}, "
            f"the {num_classes} outputs of `model`, got {low if low < 0 else high}."
        )
