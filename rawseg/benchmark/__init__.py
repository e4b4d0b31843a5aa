"""The yardstick: every operation and every algorithm, checked first, timed beside PyTorch in one process.

`cases` names what is timed, `passes` says what a right answer is, `worker` is the process that measures, `processes` starts
it, `run` joins its rows, `report` and `pictures` show them, `model_steps` does the same for whole models: `subjects` and,
beside torchvision's, `detectors`. ``rawseg bench`` is its command. PyTorch is imported nowhere else in rawseg, and only when
something is compared with it.
"""
