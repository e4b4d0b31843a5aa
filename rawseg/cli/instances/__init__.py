"""What ``rawseg train``, ``evaluate`` and ``predict`` do with networks that find single objects."""
