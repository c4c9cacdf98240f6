"""A local page to browse a dataset and results beside it (`amidst dataset show`)."""
