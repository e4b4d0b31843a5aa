"""Gradients beside difference quotients: which elements differ, by how much, and why."""
