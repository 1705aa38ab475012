"""Who writes the same story: Inkling, transformers, llama.cpp, and a loop without a cache.

Each is made once, warmed once, and then called: it writes the whole story and says how many tokens
a second that was. `written` holds the ids of the last one.
"""

import time
from pathlib import Path
from typing import Any, Protocol

import torch

from bench.workload import Work
from gpt.decode.numba_core import NumbaCore
from gpt.decode.weights import Precision
from gpt.generator import Generator
from gpt.sampling import SamplingParams

GREEDY = SamplingParams(temperature=0)
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Writer(Protocol):
    """What is measured, in turns with others."""

    def warm(self) -> None:
        """Do once what only the first story pays for."""
        ...

    def __call__(self) -> float:
        """Write the story: tokens per second."""
        ...

    def close(self) -> None: ...


class Ours:
    """`Generator.stream` with the compiled core: prompt, draw, text and `Token` are in its time.

    Args:
        n_top: How many alternatives each token lists.
    """

    def __init__(
        self,
        work: Work,
        precision: Precision,
        threads: int,
        *,
        params: SamplingParams = GREEDY,
        n_top: int = 0,
    ) -> None:
        self._work, self._n_top = work, n_top
        self._params = params
        self._generator = Generator(work.model, work.tokenizer)
        self._generator.use(
            NumbaCore(
                work.model,
                work.tokenizer.vocab_size,
                self._generator.cache,
                precision=precision,
                threads=threads,
            )
        )
        self.written: list[int] = []

    def warm(self) -> None:
        self._write(min(40, self._work.new_tokens))

    def __call__(self) -> float:
        return self._write(self._work.new_tokens)

    def _write(self, count: int) -> float:
        params = SamplingParams(
            temperature=self._params.temperature,
            top_p=self._params.top_p,
            seed=1,
            max_new_tokens=count,
        )
        began = time.perf_counter()
        tokens = list(self._generator.stream(self._work.prompt, params, n_top=self._n_top))
        took_s = time.perf_counter() - began
        self.written = [token.id for token in tokens]
        return count / took_s

    def close(self) -> None:
        self._generator.close()


class Transformers:
    """transformers' `generate` on the same folder.

    Args:
        folder: The model, as `gpt.checkpoint.save` wrote it.

    Raises:
        ImportError: there is no such package.
    """

    def __init__(self, work: Work, folder: Path, precision: Precision, threads: int) -> None:
        from transformers import AutoModelForCausalLM
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()
        self._work, self._threads = work, threads
        loaded: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=DTYPES[precision])
        self._model = loaded.eval()
        settings = self._model.generation_config
        settings.eos_token_id = None
        settings.pad_token_id = 0
        for name in ("temperature", "top_p", "top_k", "min_p"):
            setattr(settings, name, None)
        self.written: list[int] = []

    def warm(self) -> None:
        self._write(4)

    def __call__(self) -> float:
        return self._write(self._work.new_tokens)

    def _write(self, count: int) -> float:
        torch.set_num_threads(self._threads)
        prompt = torch.tensor([self._work.prompt])
        began = time.perf_counter()
        with torch.inference_mode():
            out = self._model.generate(
                prompt,
                attention_mask=torch.ones_like(prompt),
                do_sample=False,
                max_new_tokens=count,
                min_new_tokens=count,
            )
        took_s = time.perf_counter() - began
        self.written = out[0, prompt.shape[1] :].tolist()
        return count / took_s

    def close(self) -> None:
        del self._model


class LlamaCpp:
    """llama.cpp's server, within this process: nothing is sent over a socket.

    Its figure is its own `predicted_per_second`, which leaves the prompt out, or what the clock
    here says, whichever is better for it.

    Args:
        file: The model, as `bench.gguf_files` wrote it.
        slots: Stories that it can write at once.

    Raises:
        ImportError: there is no `xllamacpp` package.
    """

    def __init__(self, work: Work, file: Path, threads: int, *, slots: int = 1) -> None:
        import xllamacpp

        package: Any = xllamacpp  # it has no types
        self._work = work
        params = package.CommonParams()
        params.model.path = str(file)
        params.n_ctx = work.model.config.block_size * slots
        params.n_parallel = slots
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.fit_params = False
        params.verbosity = -1
        self._server: Any = package.Server(params)
        self.written: list[int] = []

    def warm(self) -> None:
        self.write(4)

    def __call__(self) -> float:
        began = time.perf_counter()
        answer = self.write(self._work.new_tokens)
        took_s = time.perf_counter() - began
        # Its vocabulary is made of numbers (`bench.gguf_files`).
        self.written = [int(word) for word in answer["choices"][0]["text"].split()]
        return max(answer["timings"]["predicted_per_second"], self._work.new_tokens / took_s)

    def write(self, count: int, first: int | None = None) -> dict[str, Any]:
        """Its answer to a request for so many tokens.

        Args:
            first: The prompt's first id, where stories written at once are to differ.

        Raises:
            RuntimeError: it refused.
        """
        prompt = self._work.prompt if first is None else [first, *self._work.prompt[1:]]
        answer = self._server.handle_completions(
            {
                "prompt": prompt,
                "n_predict": count,
                "temperature": 0,
                "cache_prompt": False,
                "ignore_eos": True,
            }
        )
        if "timings" not in answer:
            raise RuntimeError(f"llama.cpp wrote nothing: {answer}")
        return answer

    def close(self) -> None:
        del self._server


class NoCache:
    """The loop that books begin with: the whole text through the model for each token, the
    likeliest of the last logits behind it (float32, PyTorch)."""

    def __init__(self, work: Work, threads: int) -> None:
        self._work, self._threads = work, threads
        self.written: list[int] = []

    def warm(self) -> None:
        self._write(2)

    def __call__(self) -> float:
        return self._write(self._work.new_tokens)

    def _write(self, count: int) -> float:
        torch.set_num_threads(self._threads)
        model = self._work.model
        began = time.perf_counter()
        tokens = torch.tensor([self._work.prompt])
        with torch.inference_mode():
            for _ in range(count):
                logits = model(tokens[:, -model.config.block_size :])[:, -1]  # (1, V)
                logits = logits[:, : self._work.tokenizer.vocab_size]
                tokens = torch.cat([tokens, logits.argmax(-1, keepdim=True)], dim=1)
        took_s = time.perf_counter() - began
        self.written = tokens[0, len(self._work.prompt) :].tolist()
        return count / took_s

    def close(self) -> None:
        """There is nothing to let go of."""
