// Softmax along the middle axis of (outer, classes, inner): a thread a pixel goes over the classes in order, so that neighbours
// read neighbouring numbers where there are pixels. Everything is computed in double precision and rounded once.
// per element: forward 3 reads, 2 of them cached, and 1 write, 4 bytes each

RS_KERNEL softmax_forward(const real* x, real* out, int64 pixels, int64 classes, int64 inner, bool logarithm) {
    RS_FOR_EACH(pixel, pixels) {
        const int64 first = pixel / inner * classes * inner + pixel % inner, last = first + classes * inner;
        wide top = x[first];
        for (int64 i = first; i < last; i += inner)
            if (x[i] > top || is_nan(x[i])) top = x[i];
        wide total = 0;
        for (int64 i = first; i < last; i += inner) total += exp(x[i] - top);
        const wide shift = logarithm ? log(total) : 0;
        for (int64 i = first; i < last; i += inner)
            out[i] = logarithm ? x[i] - top - shift : exp(x[i] - top) / total;
    }
}

RS_KERNEL softmax_backward(const real* grad_output, const real* out, real* grad_input, int64 pixels, int64 classes, int64 inner,
                           bool logarithm) {
    RS_FOR_EACH(pixel, pixels) {
        const int64 first = pixel / inner * classes * inner + pixel % inner, last = first + classes * inner;
        wide total = 0;
        for (int64 i = first; i < last; i += inner)
            total += logarithm ? (wide)grad_output[i] : (wide)grad_output[i] * out[i];
        for (int64 i = first; i < last; i += inner) {
            const wide grad = grad_output[i];
            grad_input[i] = logarithm ? grad - exp((wide)out[i]) * total : (grad - total) * out[i];
        }
    }
}
