"""The steps of ``bench/gpu_check.py``."""
