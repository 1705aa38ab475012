"""Where the story forks: the branches of each place, to be chosen, named and deleted by an act."""

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from chat.session import Session
from chat.story import Story
from chat.story.branches import Branch, Fork, forks

MOST_BRANCHES = 1000
"""Of a story that a page is told of: 250 kB. Each fork counts for two at least."""
MOST_OF_A_FORK = 50


async def branches(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """`branches`: all that a page is told of where the story forks, as in `branches_data`."""
    story = session.story
    if session.forks is None or session.forks[0] is not story:
        reading = asyncio.ensure_future(asyncio.to_thread(branches_data, story))
        session.forks = (story, reading)
    return await asyncio.shield(session.forks[1])


def branches_data(story: Story) -> dict[str, Any]:
    """Reads the whole story; call it off the event loop.

    Returns:
        forks, in the order that they are read in, each with at, after, on_path and branches, as in
        `chat.story.branches`, and left_out, so many of its branches that are not among them; and
        left_out, so many forks that are not.
    """
    found = forks(story)
    listed = _listed(found)
    data = [
        {
            "at": fork.at,
            "after": fork.after,
            "on_path": fork.on_path,
            "branches": [asdict(each) for each in shown],
            "left_out": len(fork.branches) - len(shown),
        }
        for at, fork in enumerate(found)
        if at in listed and (shown := _shown(fork))
    ]
    return {"forks": data, "left_out": len(found) - len(listed)}


def _listed(found: list[Fork]) -> set[int]:
    """Which forks a page is told of: those by which the path comes before the others, and of these
    the ones nearest to its end, where a writer is at work."""
    on_path = [at for at, fork in enumerate(found) if fork.on_path]
    others = [at for at, fork in enumerate(found) if not fork.on_path]
    listed: set[int] = set()
    room = MOST_BRANCHES
    for at in [*reversed(on_path), *others]:
        room -= min(len(found[at].branches), MOST_OF_A_FORK)
        if room < 0:
            break
        listed.add(at)
    return listed


def _shown(fork: Fork) -> list[Branch]:
    """The newest of a fork's branches, with the one that is read and those that have a name."""
    kept = [each for each in fork.branches if each.shown or each.name][-MOST_OF_A_FORK:]
    rest = [each for each in fork.branches if each not in kept]
    room = MOST_OF_A_FORK - len(kept)
    kept += rest[-room:] if room else []
    return [each for each in fork.branches if each in kept]
