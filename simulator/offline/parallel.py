"""Policies side by side, each in a process of its own. A run is a function of its arguments: where it runs changes nothing."""

import multiprocessing
import os
import queue
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from typing import Any

from simulator.offline.market import KnownSignals
from simulator.offline.run import Run, Task, Tell, run_policy

LOOK_S = 0.5
"""How often the processes are looked at when nothing is heard of them [wall s]."""


class RunFailedError(RuntimeError):
    """A policy could not be run to its end. The message says which and why."""


def run_all(names: Sequence[str], task: Task, known: KnownSignals, tell: Tell, *, processes: int) -> dict[str, Run]:
    """Run each policy; at most `processes` at a time, all of them in this process when that is 1.

    Raises
    ------
    RunFailedError
        A run ended early in its own process. In this process its own exception is raised.
    """
    if processes <= 1 or len(names) == 1:
        return {name: run_policy(name, task, known, tell) for name in names}
    # The planner's small matrices gain nothing from threads, and the policies would fight for the cores.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    said: Any = context.Queue()
    waiting, running, done = list(names), dict[str, BaseProcess](), dict[str, Run]()
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                name = waiting.pop(0)
                child: BaseProcess = context.Process(
                    target=_work, args=(name, task, known, said, os.getpid()), name=name, daemon=True
                )
                child.start()
                running[name] = child
            try:
                name, what = said.get(timeout=LOOK_S)
            except queue.Empty:
                _look_for_the_dead(running)
                continue
            if isinstance(what, Run):
                done[name] = what
                running.pop(name).join()
            elif isinstance(what, str):
                raise RunFailedError(f"policy {name}: {what}")
            else:
                tell(name, what)
    finally:
        for child in running.values():
            child.terminate()
    return {name: done[name] for name in names}


def _look_for_the_dead(running: dict[str, BaseProcess]) -> None:
    for name, child in running.items():
        if child.exitcode not in (None, 0):
            raise RunFailedError(f"policy {name}: its process ended with {child.exitcode}; too little memory?")


def _work(name: str, task: Task, known: KnownSignals, said: Any, parent: int) -> None:
    def tell(policy: str, share: float) -> None:
        if os.getppid() != parent:
            # Who asked is gone; nobody would read the answer.
            os._exit(1)
        said.put((policy, share))

    try:
        said.put((name, run_policy(name, task, known, tell)))
    except KeyboardInterrupt:
        return
    except Exception as error:  # noqa: BLE001 - it goes to the parent, which says it
        said.put((name, f"{type(error).__name__}: {error}"))
