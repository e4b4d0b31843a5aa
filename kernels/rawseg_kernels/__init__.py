"""Arrays in, arrays out: the kernels of rawseg, one folder an operation.

A folder is a module named for its operation, and its functions are verbs::

    from rawseg_kernels import conv2d, max_pool2d

    out = conv2d.forward(x, weight, padding=1)
    grad_x = conv2d.backward_input(grad_out, weight, x.shape, padding=1)
    out, indices = max_pool2d.forward(x, kernel_size=2)

Nothing here knows of Tensors or gradients as a graph; numba is imported when the first CPU kernel runs.
The package root re-exports nothing, so that an operation's name is always its folder.
"""
