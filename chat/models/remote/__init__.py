"""Models that another program serves, by OpenAI's completions API, at addresses the operator named.

From the bottom up: what each program calls a parameter (`dialects`), which servers there are
(`servers`), a connection (`connection`, `events`), what comes through it (`answers`,
`characters`), who waits for a place (`line`), a story on its way (`request`), the engine
(`engine`), the picker (`directory`).
"""
