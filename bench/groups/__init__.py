"""One file a group of measurements; each has `measure(bench)`."""
