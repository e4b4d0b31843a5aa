"""Every kernel and every differentiable function once, for the promises that all of them make; one file a family."""
