"""The story as data, requests into settings, models in memory: of the app, all but Chainlit."""
