"""train.search as a worker that is killed in the middle of its first trial."""

import os
import signal

from train import search


class Doomed(search.TrialRun):
    """A run whose process is killed at its first evaluation after the beginning."""

    def log(self, **record: float) -> None:
        super().log(**record)
        if "val_loss" in record and record["step"]:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    search.TrialRun = Doomed
    search.main()
