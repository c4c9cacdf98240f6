"""The web servers: a foundation for accounts, sessions, limits and media, and what stands on it.

The files of this folder know nothing of a crowd or a leaderboard; `crowd/` puts the annotation engine on
them. An application is data passed to a constructor: database, media, clock, secrets and configuration.
"""
