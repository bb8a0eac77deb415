"""Bit-exact, fast, fixed-point simulator of neural-network building blocks."""
