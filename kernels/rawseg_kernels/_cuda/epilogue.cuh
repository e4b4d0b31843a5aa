// What follows the sum of an output before it is stored, as in _epilogue.py: from the rounded sum, in double, rounded once.

__device__ inline real finished(real sum, int channel, const wide* centre, const wide* scale, const wide* shift, real low,
                                real high) {
    if (scale) sum = ((wide)sum - centre[channel]) * scale[channel] + shift[channel];
    const real held = sum < low ? low : sum;  // NaN passes
    return held > high ? high : held;
}
