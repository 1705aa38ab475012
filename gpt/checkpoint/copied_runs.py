"""copied.runs, a file beside a model: hashes of the runs of words that its training text has.

With it "Did it copy?" can be asked where the text itself is not. No tool of others looks for such
a name: one that ends in .safetensors or .bin would be taken for weights.
"""

from gpt.checkpoint.folder import Checkpoint
from gpt.files import CheckpointError, MissingFileError, read_bytes, said
from gpt.text.run_hashes import RunHashes

COPIED_RUNS = "copied.runs"


def read_copied_runs(checkpoint: Checkpoint) -> RunHashes | None:
    """The runs that lie beside a model; None where none do.

    Raises:
        CheckpointError: They are damaged, or of another text than the model learnt from.
    """
    path = checkpoint.folder / COPIED_RUNS
    try:
        hashes = RunHashes.from_bytes(read_bytes(checkpoint.folder, COPIED_RUNS))
    except MissingFileError:
        return None
    except ValueError as error:
        raise CheckpointError(
            f"{said(path)} cannot be used: {error}. Make it again with `python -m "
            "train.copied_runs`, or take it away"
        ) from error
    told = checkpoint.training.get("data", {}).get("train", {}).get("sha256")
    if hashes.text != told:
        raise CheckpointError(
            f"{said(path)} is of another text than this model learnt from: expected the "
            f"fingerprint {str(told)[:16]}, got {hashes.text[:16]}. Take it away"
        )
    return hashes
