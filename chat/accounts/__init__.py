"""Who may come in: accounts, tokens, the throttle, and the home where all is kept."""

from chat.accounts.accounts import (
    LOCAL,
    LONGEST_NAME,
    PASSWORD_VARIABLE,
    SHORTEST_SECRET,
    Accounts,
    Hash,
    main,
    read_accounts,
    read_secret,
    write_account,
)

__all__ = [
    "LOCAL",
    "LONGEST_NAME",
    "PASSWORD_VARIABLE",
    "SHORTEST_SECRET",
    "Accounts",
    "Hash",
    "main",
    "read_accounts",
    "read_secret",
    "write_account",
]
