"""Quantizer of hwblocks: turns a float graph and calibration data into an integer graph."""
