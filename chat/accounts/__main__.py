"""`python -m chat.accounts NAME`: add a name and its password, or give it another one."""

import sys

from chat.accounts.accounts import main

sys.exit(main())
