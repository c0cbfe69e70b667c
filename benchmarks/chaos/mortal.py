"""What the workers of a run load: the actors as they are, in a process that may die anywhere."""

# ruff: noqa: E402, F403 - the order matters: before any client of MongoDB is made.

from pipeline.worker_metrics import use_shared_folder

use_shared_folder()

from benchmarks.chaos.killing import arm

arm()

from actors import *
