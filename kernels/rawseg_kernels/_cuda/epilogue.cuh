// What follows the sum of an output before it is stored, as in _epilogue.py: from the rounded sum, in double, rounded once.

struct Epilogue {
    const wide *centre, *scale, *shift;  // of every output channel, or none
    real low, high;

    __device__ inline real normalised(real sum, int k) const { return ((wide)sum - centre[k]) * scale[k] + shift[k]; }
    __device__ inline real clamped(real value) const {
        const real held = value < low ? low : value;  // NaN passes
        return held > high ? high : held;
    }
    __device__ inline real finished(real sum, int k) const { return clamped(scale ? normalised(sum, k) : sum); }
};
