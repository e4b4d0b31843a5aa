"""One launch for all parameters: update rules and gradient clipping on a GPU, over tables of addresses.

A network has hundreds of small parameters, and an update rule about ten elementwise steps: a launch for each would cost more
than the work. Here a launch takes a `table.Table` of all arrays, and a thread does every step of its elements in registers.

On a CPU the update rules run array by array, each in one pass (``direct.py``).

This is no room of operations: a room's functions return fresh arrays of the arrays they are given, these change their arrays in
place. All have the bits of the loops in ``reference.py``, for sums of norms in float64 up to their order.
"""
