"""`python -m bench.train`: a training step of ours beside nanoGPT's, in tokens per second.

nanoGPT's shape for Shakespeare's characters (6 layers, 384 wide, 12 windows of 256, 65 symbols)
with dropout 0.2, and the small one of its README for a CPU (4 layers, 128 wide, 12 windows of 64,
without dropout). Both begin with the same weights and read the same batches. The peer is a process
of its own (bench/nanogpt.py), set up as PyTorch comes; but threads of both wait asleep. The ratio
at the small shape is to the faster of its two precisions. Above 1 we are faster.

The last line is one JSON object: the ratios, and which share of the measured bfloat16 peak a step
without dropout reaches.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from safetensors.torch import save_file

from bench.tables import in_turns, middle, ratios, show, table
from gpt.model import GPT
from train.data.folder import Data
from train.loop.config import TrainConfig, nanogpt
from train.loop.device import flops_per_token, peak_flops, tune
from train.loop.throughput import Throughput

VOCAB_SIZE = 65
BATCHES = 32
PEER = Path(__file__).with_name("nanogpt.py")
CPU = torch.device("cpu")
LARGE = replace(
    nanogpt(), n_layer=6, n_head=6, n_embd=384, block_size=256, dropout=0.2, device="cpu"
)
SMALL = replace(nanogpt(), device="cpu")
Speeds = dict[str, list[float]]
Steps = Callable[[int], tuple[float, float]]
"""So many steps of a training: the seconds they took, and the loss of the last."""


def text() -> Data:
    """Random characters: the work of a step does not depend on what is read."""
    tokens = np.random.default_rng(1).integers(VOCAB_SIZE, size=100_000).astype(np.uint16)
    tokenizer = SimpleNamespace(vocab_size=VOCAB_SIZE, eos_id=0)
    return cast(Data, SimpleNamespace(train=tokens, tokenizer=tokenizer))


def peer_weights(model: GPT) -> dict[str, torch.Tensor]:
    """Our weights under the peer's names, its one product of queries, keys and values stacked."""
    given = model.state_dict()
    found = {"wte.weight": given["tokens.weight"], "wpe.weight": given["positions.weight"]}
    found |= {"ln_f.weight": given["norm.weight"], "lm_head.weight": given["tokens.weight"]}
    names = {"ln_1": "attention_norm", "c_proj": "attention.o", "ln_2": "mlp_norm"}
    names |= {"c_fc": "mlp.up", "down": "mlp.down"}
    for layer in range(model.config.n_layer):
        ours, theirs = f"blocks.{layer}", f"h.{layer}"
        products = [given[f"{ours}.attention.{name}.weight"] for name in "qkv"]
        found[f"{theirs}.c_attn.weight"] = torch.cat(products)
        for their, own in names.items():
            found[f"{theirs}.{their}.weight"] = given[f"{ours}.{own}.weight"]
    return {name: tensor.clone() for name, tensor in found.items()}


def peer_file(pace: Throughput, folder: Path) -> Path:
    """What a process of the peer begins with: the shape, our weights, our batches."""
    config, path = pace.config, folder / f"{pace.config.n_embd}.safetensors"
    inputs, targets = zip(*(pace.batches.micro_batch(i, 0) for i in range(BATCHES)), strict=True)
    shape = {"vocab_size": VOCAB_SIZE, "window": config.block_size, "n_layer": config.n_layer}
    shape |= {"n_head": config.n_head, "n_embd": config.n_embd, "dropout": config.dropout}
    weights = {f"weights.{name}": tensor for name, tensor in peer_weights(pace.model).items()}
    batches = {"inputs": torch.stack(inputs), "targets": torch.stack(targets)}
    given = json.dumps({"shape": shape, "threads": config.threads})
    save_file({**weights, **batches}, path, metadata={"given": given})
    return path


def peer(path: Path, precision: str, stack: ExitStack) -> Steps:
    """A process of bench/nanogpt.py that waits for a number of steps; `stack` ends it."""
    words = [sys.executable, str(PEER), str(path), precision]
    process = stack.enter_context(
        subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    )
    stack.callback(process.kill)

    def steps(count: int) -> tuple[float, float]:
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{count}\n")
        process.stdin.flush()
        seconds, loss = json.loads(process.stdout.readline())
        return seconds, loss

    return steps


def compared(config: TrainConfig, rounds: int, steps: int) -> tuple[Speeds, str]:
    """Tokens per second of ours and the peer's two precisions, round by round; and our way."""
    pace, tokens = Throughput(config, text()), steps * config.tokens_per_step
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        path = peer_file(pace, Path(folder))
        theirs = {name: peer(path, name, stack) for name in ("float32", "autocast")}
        turns = {"Inkling": lambda: tokens / pace.seconds(steps)}
        turns |= {name: partial(speed, side, steps, tokens) for name, side in theirs.items()}
        return in_turns(turns, rounds), str(pace.way)


def speed(side: Steps, steps: int, tokens: int) -> float:
    """Tokens per second of one turn."""
    return tokens / side(steps)[0]


def share_of_peak(config: TrainConfig, rounds: int, steps: int) -> tuple[Speeds, list[float]]:
    """TFLOP/s of a step without dropout and of a large product, in turns; and their ratios."""
    pace = Throughput(replace(config, dropout=0.0), text())
    per_token = flops_per_token(pace.model.config, pace.model.n_params)

    def step() -> float:
        return per_token * config.tokens_per_step * steps / pace.seconds(steps) / 1e12

    def product() -> float:
        return peak_flops(CPU, torch.bfloat16) / 1e12

    found = in_turns({"step": step, "product": product}, rounds)
    return found, ratios(found["step"], found["product"])


def speeds_table(title: str, found: Speeds, way: str) -> str:
    """Tokens per second of each side, and ours over theirs."""
    rows = [[f"Inkling ({way})", middle(found["Inkling"], ",.0f"), ""]]
    for name in ("float32", "autocast"):
        over = middle(ratios(found["Inkling"], found[name]), ".2f")
        rows.append([f"nanoGPT, {name}", middle(found[name], ",.0f"), over])
    return table([title, "tokens/s", "Inkling over it"], rows)


def main(arguments: list[str] | None = None) -> None:
    """Measure both shapes and the share of the peak; print the tables and the JSON line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5, help="that count (default: %(default)s)")
    parser.add_argument("--steps", type=int, default=4, help="of the large shape, in a turn")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    tune(options.threads)
    large, small = (replace(each, threads=options.threads) for each in (LARGE, SMALL))
    tables: list[str] = []
    result: dict[str, Any] = {"ratio": {}}
    found, way = compared(large, options.rounds, options.steps)
    over = {name: median(ratios(found["Inkling"], found[name])) for name in ("float32", "autocast")}
    result["ratio"]["nanogpt"] = over
    tables.append(speeds_table("6 layers, 384, 12 × 256, dropout 0.2", found, way))
    found, way = compared(small, options.rounds, 20 * options.steps)
    faster = [max(pair) for pair in zip(found["float32"], found["autocast"], strict=True)]
    result["ratio"]["small"] = median(ratios(found["Inkling"], faster))
    tables.append(speeds_table("4 layers, 128, 12 × 64, no dropout", found, way))
    work, shares = share_of_peak(large, options.rounds, options.steps)
    result["of_peak"] = median(shares)
    rows = [["a step, 6 layers, 384, no dropout", middle(work["step"], ".3f"), ""]]
    rows[0][2] = middle(shares, ".2f")
    rows.append(["a product, 2,048 × 2,048 × 2,048", middle(work["product"], ".3f"), ""])
    tables.append(table(["bfloat16", "TFLOP/s", "of the product's"], rows))
    show(tables, result, options.threads)


if __name__ == "__main__":
    main()
