"""Two processes train one network with heads; `test_several_processes` reads what each found.

python -m tests.training.programs.launch tests.heads.two_processes 2 1 FOLDER
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler, TensorDataset

import corruptlab as cl

N, D, EPOCHS = 42, 6, 5


def features() -> Tensor:
    """The second half is the first again, so that both processes standardize alike."""
    half = torch.randn(N // 2, D, generator=torch.Generator().manual_seed(0))
    return torch.cat([half, half])


def data() -> TensorDataset:
    return TensorDataset(features(), torch.arange(N) % 3)


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(D, 8), nn.ReLU(), nn.Linear(8, 3))


def halves(epoch: int) -> list[Tensor]:
    """Batches of the first half; the last one is smaller."""
    order = torch.randperm(N // 2, generator=torch.Generator().manual_seed(epoch))
    return list(torch.tensor_split(order, list(range(8, N // 2, 8))))


def frozen(model: nn.Module, parts: list[int]) -> cl.HeadsReport:
    """Show features of one half or of both, each batch with its mirror image."""
    heads = cl.RandomLabelHeads(model, data(), layers=["0"], num_labels=3)
    for epoch in range(EPOCHS):
        for batch in halves(epoch):
            ids = torch.cat([batch + part * (N // 2) for part in parts])
            model(features()[ids])
            heads.loss(ids)
    return heads.report()


def trained(rank: int, *, watched: bool) -> dict[str, Any]:
    """Train on shards that are drawn anew in every epoch, with batches of unequal sizes."""
    model = DistributedDataParallel(network())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    heads = cl.RandomLabelHeads(model, data(), layers=["0", "1"]) if watched else None
    sampler: DistributedSampler[Any] = DistributedSampler(data(), 2, rank, seed=4)
    for epoch in range(EPOCHS):
        sampler.set_epoch(epoch)
        shard = torch.tensor(list(sampler))
        for ids in torch.tensor_split(shard, list(range(8 + rank, len(shard), 8 + rank))):
            x, y = data()[ids]
            loss = cross_entropy(model(x), y)
            if heads is not None:
                loss = loss + heads.loss(ids)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    report = None if heads is None else heads.report().to_dict()
    return {"report": report, "weights": dict(model.module.state_dict())}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    found = {
        "frozen": frozen(DistributedDataParallel(network()), [rank]).to_dict(),
        "watched": trained(rank, watched=True),
        "alone": trained(rank, watched=False),
    }
    torch.save(found, folder / f"{rank}.pt")
    distributed.destroy_process_group()
