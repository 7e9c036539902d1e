"""Figures that README quotes, measured: `python -m benchmarks` (or `make bench`).

Belongs here: measuring the product from outside, several runs, medians, ratios to a named baseline run beside it.
Does not belong here: asserts on time (a busy machine is not a bug), and anything that the product needs to work.
"""
