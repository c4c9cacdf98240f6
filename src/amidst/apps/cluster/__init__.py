"""Work on more pictures than one process should do: in parts, on processes or a Ray cluster."""
