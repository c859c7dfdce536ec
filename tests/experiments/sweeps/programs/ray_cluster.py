"""A sweep on a Ray cluster of two nodes on this machine, one of which is killed in the middle.

On the other one, a permutation test and the commands of a page follow: to start a cluster takes
seconds.

python -m tests.experiments.sweeps.programs.ray_cluster FOLDER
"""

import importlib
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import corruptlab as cl
from corruptlab.experiments.sweeps import RayExecutor
from tests.experiments.permutation.learners import drawn, points
from tests.experiments.sweeps.trials import note, runs
from tests.test_commands import ON_RAY, typed_in
from tests.waiting import HANG, until

ray: Any = importlib.import_module("ray")
Cluster: Any = importlib.import_module("ray.cluster_utils").Cluster

TRIALS, SECONDS = 40, 0.05
MEMORY = 80_000_000
# A dead node does not answer, and that is soon certain; a busy one has all the usual time to.
HEALTH = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 300}


def trial(*, x: int, log: str, doomed: str) -> dict[str, Any]:
    note(log, x)
    here = ray.get_runtime_context()
    in_the_middle = len(runs(log)) > TRIALS // 3
    if here.get_node_id() != doomed:
        if in_the_middle:  # however late the other node begins, it has a part
            until(_sign(log, "held").exists, "a second trial on the doomed node")
    elif in_the_middle and _sign(log, "finished").exists():
        _sign(log, "held").touch()
        time.sleep(HANG)  # the node is killed meanwhile
    time.sleep(SECONDS)
    if x == 5 and runs(log).count(5) == 1:
        raise ValueError("an error of the trial's own, once")
    needs = here.get_assigned_resources()
    if here.get_node_id() == doomed:
        _sign(log, "finished").touch()
    seen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return {"square": x * x, "node": here.get_node_id(), "needs": needs, "seen": seen}


def _sign(log: str, what: str) -> Path:
    """The sign that the doomed node has finished a trial, or is held in the middle of one."""
    return Path(log).with_suffix(f".{what}")


def main(folder: Path) -> None:
    out, log = folder / "out", folder / "log"
    options = {"object_store_memory": MEMORY, "include_dashboard": False}
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "num_gpus": 1, "_system_config": HEALTH, **options},
    )
    doomed = cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=MEMORY)
    ray.init(address=cluster.address, log_to_driver=False)

    here = ray.get_runtime_context().get_node_id()
    (other,) = (node["NodeID"] for node in ray.nodes() if node["NodeID"] != here)
    grid = {"x": range(TRIALS), "log": [str(log)], "doomed": [other]}
    try:
        cl.sweep(grid, trial, RayExecutor(num_gpus=8), out=out)
        refused = ""
    except ValueError as error:
        refused = f"{error} {out.exists()}"

    def kill_in_the_middle() -> None:
        until(_sign(str(log), "held").exists, "a trial on the doomed node")
        cluster.remove_node(doomed, allow_graceful=False)

    killer = threading.Thread(target=kill_in_the_middle, daemon=True)
    killer.start()
    with RayExecutor(num_cpus=1, num_gpus=0.5) as executor:
        room = executor.max_workers
        report = cl.sweep(grid, trial, executor, out=out)
        killer.join()
        permuted = cl.permutation_test(
            drawn, points(40), folds=4, permutations=19, executor=executor
        )
    page, address = folder / "page", cluster.address
    page.mkdir()
    commands = typed_in(ON_RAY, page, RAY_ADDRESS=address)
    table = report.table()
    found = {
        "refused": refused,
        "room": room,
        "done": report.done,
        "failed": [str(each) for each in report.failures],
        "nodes": len(set(table["node"].tolist())),
        "alive": sum(node["Alive"] for node in ray.nodes()),
        "squares": table["square"].tolist(),
        "gpus": sorted({float(each) for each in table["needs.GPU"]}),
        "seen": sorted(set(table["seen"].tolist())),
        "runs": len(runs(log)),
        "still_connected": ray.is_initialized(),
        "commands": commands,
        "null": permuted.null.tolist(),
    }
    (folder / "found.json").write_text(json.dumps(found))
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
