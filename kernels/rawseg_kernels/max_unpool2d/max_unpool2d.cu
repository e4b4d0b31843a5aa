// Max unpooling where no two elements meet, and where the last one wins: which one that is shows in the elements sorted by
// where they go.
#include "inside.cuh"

RS_KERNEL max_unpool2d_place(const real* x, const int64* indices, real* out, int64 count, int64 elements, int64 pixels) {
    RS_FOR_EACH(i, count)
        if (inside(indices[i], pixels)) out[i / elements * pixels + indices[i]] = x[i];
}

// A thread a sorted element: it reads its pixel's gradient, one of `pixels` of all planes, unless a later one goes there, too.
RS_KERNEL max_unpool2d_backward_last(const real* grad_output, const int64* places, const int64* order, real* grad_input,
                                     int64 count, int64 pixels) {
    RS_FOR_EACH(i, count) {
        const bool wins = (i + 1 == count || places[i + 1] != places[i]) && inside(places[i], pixels);
        grad_input[order[i]] = wins ? grad_output[places[i]] : (real)0;
    }
}
