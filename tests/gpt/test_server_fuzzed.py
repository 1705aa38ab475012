"""Whatever a client sends, by the server's schema or against it, is no fault of the server."""

from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from tests.support.api_server import opened, serving
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.heavy
CHECKS = [not_a_server_error, response_schema_conformance]


@pytest.mark.parametrize(
    "count", [100, pytest.param(2000, marks=pytest.mark.torture)], ids=["short", "long"]
)
def test_no_request_of_the_schema_or_against_it_is_a_fault_of_the_server(
    tmp_path: Path, count: int
) -> None:
    # It ends each story at once, so that 8 versions of 2,048 tokens take no time.
    model = opened(save_characters(tmp_path / "ended", ends=True))
    answered: Counter[str] = Counter()
    with serving([model]) as base:
        schema = schemathesis.openapi.from_url(f"{base}/openapi.json")

        @settings(
            max_examples=count,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        )
        @given(case=cases(schema), named=st.booleans())
        def ask(case: Case, named: bool) -> None:
            if not named and isinstance(case.body, dict):
                case.body.pop("model", None)  # else nearly all are for a model that is not there
            response = case.call()
            answered[f"{case.method} {case.path} {response.status_code}"] += 1
            case.validate_response(response, checks=CHECKS)
            if response.status_code >= 400 and case.method != "HEAD":
                assert set(response.json()["error"]) == {"message", "type", "param", "code"}

        ask()
        assert httpx.get(f"{base}/health").json()["status"] == "ok"
    print(dict(answered))
    assert sum(answered.values()) >= count
    for status in (200, 400):
        assert answered[f"POST /v1/completions {status}"] >= count / 10


def cases(schema: Any) -> st.SearchStrategy[Case]:
    """Requests of every operation, most of them for completions; half of those are not valid."""
    found = {operation.ok().path: operation.ok() for operation in schema.get_all_operations()}
    completions = found.pop("/v1/completions")
    modes = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    of_completions = [completions.as_strategy(generation_mode=mode) for mode in modes]
    others = [operation.as_strategy() for operation in found.values()]
    return st.one_of(*of_completions, *of_completions, st.one_of(*others))
