"""Exporters: graphs and runs as files for other tools."""
