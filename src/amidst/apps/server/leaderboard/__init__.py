"""The leaderboard over HTTP: tables, submissions, teams and phases."""
