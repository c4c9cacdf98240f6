"""An evaluation server with hidden annotations: phases, submissions, checking, scoring, ranking."""
