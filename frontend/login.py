"""The door: nobody is asked who they are, unless there are accounts.

Where strangers come by, as on a Space, each can be a guest who sees no story but their own.
"""

import asyncio
import os
import secrets
from collections.abc import Mapping

import chainlit as cl
from fastapi import HTTPException

from chat.accounts import LOCAL, Accounts

SECRET_VARIABLE = "CHAINLIT_AUTH_SECRET"
GUESTS_VARIABLE = "INKLING_GUESTS"


def keep_door(accounts: Accounts, secret: str) -> None:
    """Let the one local writer in without a question, or ask for a name and a password.

    With INKLING_GUESTS=1 and no accounts, every browser is a guest with stories of its own, which
    its cookie finds again.

    Args:
        secret: Signs the sessions of those who are in.
    """
    os.environ.setdefault(SECRET_VARIABLE, secret)
    if not accounts.asked:
        cl.header_auth_callback(_local if nobody_is_asked(accounts) else _guest)
        return
    one_at_a_time = asyncio.Lock()

    async def check(name: str, password: str) -> cl.User:
        # Hashing is slow on purpose: many tries at once must not take every core.
        async with one_at_a_time:
            if (wait_s := accounts.wait_s(name)) > 0:
                raise HTTPException(429, f"Too many tries: wait {wait_s:.0f} seconds.")
            owner = await asyncio.to_thread(accounts.enter, name, password)
        if owner is None:
            # Chainlit would show the word that it knows this by.
            raise HTTPException(401, "This name and this password do not fit.")
        return cl.User(identifier=owner, display_name=name)

    cl.password_auth_callback(check)


def nobody_is_asked(accounts: Accounts) -> bool:
    """Whether there is one writer alone, LOCAL: without accounts, and without guests."""
    return not accounts.asked and os.environ.get(GUESTS_VARIABLE) != "1"


async def _local(headers: Mapping[str, str]) -> cl.User:
    return cl.User(identifier=LOCAL)


async def _guest(headers: Mapping[str, str]) -> cl.User:
    return cl.User(identifier=f"guest-{secrets.token_hex(16)}", display_name="guest")
