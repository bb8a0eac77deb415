"""The recorders need runtimes that no test installs; they are run by hand."""

collect_ignore_glob = ["record_*.py"]
