"""One launch for all parameters: update rules, and on a GPU gradient clipping, over tables of addresses.

A network has hundreds of small parameters, and an update rule about ten elementwise steps: a launch for each would cost more
than the work. Here a launch takes a `table.Table` of all arrays, on a CPU `rows.Rows` (``direct.py``), and a thread does every
step of its elements in registers.

This is no room of operations: a room's functions return fresh arrays of the arrays they are given, these change their arrays in
place. All have the bits of the loops in ``reference.py``, for sums of norms in float64 up to their order.
"""
