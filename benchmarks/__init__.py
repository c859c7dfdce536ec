"""Benchmarks, a package so that no other of this name can take its place."""
