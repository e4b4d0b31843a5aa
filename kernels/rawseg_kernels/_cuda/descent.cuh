// What every update rule does to a gradient first: negated to climb, and with the gradient of the L2 penalty, if there is one.
__device__ inline real direction(real gradient, real x, bool maximize, bool decays, real weight_decay) {
    if (!decays) return maximize ? -gradient : gradient;
    const real penalty = x * weight_decay;
    return maximize ? penalty - gradient : penalty + gradient;
}
