"""People label photographs: stages, leases, votes and decisions on a database. Never imports torch."""
