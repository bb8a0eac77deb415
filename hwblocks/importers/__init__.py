"""Importers: files of other tools become graphs."""
