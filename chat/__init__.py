"""The story as data, wishes into settings, models in memory: of the app, all but Chainlit."""
