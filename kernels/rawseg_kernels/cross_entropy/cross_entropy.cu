// Cross entropy with class ids: a thread a pixel goes over the classes in order; x is (N, C, D), target, kept and sharp are
// (N, D). Everything is computed in double precision and rounded once.
// per logit: forward 3 reads, 2 of them cached, backward 1 read and 1 write, 4 bytes each
#include "inside.cuh"

RS_KERNEL cross_entropy_forward(const real* x, const int64* target, const bool* kept, const wide* sharp, const wide* smooth,
                                real* losses, wide* shifts, int64 count, int64 classes, int64 pixels, bool is_smooth) {
    RS_FOR_EACH(i, count) {
        const real* logits = x + i / pixels * classes * pixels + i % pixels;
        wide top = logits[0];
        for (int64 k = 0; k < classes; ++k)
            if (logits[k * pixels] > top || is_nan(logits[k * pixels])) top = logits[k * pixels];
        wide total = 0;
        for (int64 k = 0; k < classes; ++k) total += exp(logits[k * pixels] - top);
        const wide shift = top + log(total);
        const int64 own = inside(target[i], classes) ? target[i] : 0;
        wide loss = sharp[i] * (shift - logits[own * pixels]), spread = 0;
        for (int64 k = 0; is_smooth && k < classes; ++k) spread += smooth[k] * (shift - logits[k * pixels]);
        if (is_smooth) loss += spread;
        losses[i] = kept[i] ? loss : 0;
        shifts[i] = shift;
    }
}

RS_KERNEL cross_entropy_backward(const real* grad_output, const real* x, const wide* shifts, const int64* target,
                                 const bool* kept, const wide* sharp, const wide* smooth, real* grad_input, int64 count,
                                 int64 classes, int64 pixels, bool is_smooth) {
    RS_FOR_EACH(i, count) {
        const int64 first = i / pixels * classes * pixels + i % pixels;
        wide mass = 0;
        for (int64 k = 0; is_smooth && k < classes; ++k) mass += smooth[k];
        for (int64 k = 0; k < classes; ++k) {
            wide grad = exp(x[first + k * pixels] - shifts[i]) * (sharp[i] + mass);
            if (k == target[i]) grad -= sharp[i];
            if (is_smooth) grad -= smooth[k];
            grad_input[first + k * pixels] = kept[i] ? grad * grad_output[i] : 0;
        }
    }
}
