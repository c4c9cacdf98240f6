"""From a pile of photographs to a release, and what a dataset is made of. Never imports torch."""
