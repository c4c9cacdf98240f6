"""The annotation engine over HTTP: tickets for workers, the campaign for managers."""
