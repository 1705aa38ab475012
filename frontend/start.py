"""Start the app without what Chainlit imports and Inkling never uses.

    python -m frontend.start run app.py --port 8000

takes what `chainlit` takes, and `chainlit run app.py` goes on working, only slower: it has imported
all of Chainlit before it looks at app.py. Of two packages Chainlit needs names alone, to say what
type something has: `literalai` (a service for logs; it brings traceloop, gRPC, the SDK of
OpenTelemetry and some forty instruments) and `mcp` (tools for assistants, off in
.chainlit/config.toml). Stand-ins with these names take their places before Chainlit is imported.
What else is asked of them is missing, as if the packages were not installed.

OpenTelemetry's interface stays, which does nothing by itself: FastAPI imports it on its own.
"""

import sys
from types import ModuleType
from typing import Literal

# What steps and messages may be, as pydantic checks it: chainlit/step.py, chainlit/message.py.
StepKind = Literal["run", "tool", "llm", "embedding", "retrieval", "rerank", "undefined"]
MessageKind = Literal["user_message", "assistant_message", "system_message"]

STAND_INS: dict[str, dict[str, object]] = {
    # chainlit/__init__.py offers the first three to who writes an app; a step may carry the fourth.
    "literalai": {
        name: type(name, (), {})
        for name in (
            "ChatGeneration",
            "CompletionGeneration",
            "GenerationMessage",
            "BaseGeneration",
        )
    },
    "literalai.observability": {},
    "literalai.observability.step": {
        "TrueStepType": StepKind,
        "MessageStepType": MessageKind,
        "StepType": StepKind | MessageKind,
    },
    # chainlit/callbacks.py names it as a parameter's type.
    "mcp": {"ClientSession": type("ClientSession", (), {})},
}


def keep_out_unused() -> None:
    """Put the stand-ins where Chainlit looks first.

    Raises:
        RuntimeError: Chainlit is imported already, with all that it brings.
    """
    if "chainlit" in sys.modules:
        raise RuntimeError("Chainlit is imported already: keep_out_unused comes before it")
    for name, members in STAND_INS.items():
        module = ModuleType(name, "A stand-in: see frontend/start.py.")
        module.__path__ = []  # a package, in which nothing more is found
        vars(module).update(members)
        sys.modules[name] = module


def main() -> None:
    keep_out_unused()
    from chainlit.cli import cli

    cli(prog_name="chainlit")


if __name__ == "__main__":
    main()
