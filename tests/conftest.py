"""Hypothesis profiles, one place: `ci` is derandomised (the default), `release` draws many examples, `dev` few."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
# deadline=None: the first example of a kernel compiles it.
settings.register_profile("ci", deadline=None, derandomize=True, max_examples=40, suppress_health_check=slow, database=None)
settings.register_profile("dev", deadline=None, max_examples=15, suppress_health_check=slow)
settings.register_profile("release", deadline=None, max_examples=4000, suppress_health_check=slow, print_blob=True)
settings.load_profile(os.environ.get("RAWSEG_HYPOTHESIS", "ci"))
