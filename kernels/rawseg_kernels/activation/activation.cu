// Activations: a thread an element. As in reference.py everything is computed in double precision and rounded once; what only
// selects, selects bits. A comparison with NaN is false, which decides what NaN gives.
// per element: forward 1 read and 1 write, backward 2 reads and 1 write, 4 bytes each

#define ROOT_HALF 0.7071067811865476  // sqrt(1 / 2)
#define ROOT 0.7978845608028654       // sqrt(2 / pi)
#define CUBIC 0.044715                // of gelu's approximation by tanh
#define DENSITY 0.3989422804014327    // 1 / sqrt(2 pi), of the standard normal distribution at 0

RS_KERNEL activation_relu(const real* x, real* out, int64 size) {
    RS_FOR_EACH(i, size) out[i] = x[i] < 0 ? (real)0 : x[i];
}

RS_KERNEL activation_relu_backward(const real* grad_output, const real* out, real* grad_input, int64 size) {
    RS_FOR_EACH(i, size) grad_input[i] = out[i] <= 0 ? (real)0 : grad_output[i];
}

RS_KERNEL activation_hardtanh(const real* x, real* out, int64 size, wide min_val, wide max_val) {
    RS_FOR_EACH(i, size) out[i] = x[i] < min_val ? (real)min_val : x[i] > max_val ? (real)max_val : x[i];
}

RS_KERNEL activation_hardtanh_backward(const real* grad_output, const real* out, real* grad_input, int64 size, wide min_val,
                                       wide max_val) {
    RS_FOR_EACH(i, size) grad_input[i] = out[i] <= min_val || out[i] >= max_val ? (real)0 : grad_output[i];
}

RS_KERNEL activation_leaky_relu(const real* x, real* out, int64 size, wide negative_slope) {
    RS_FOR_EACH(i, size) out[i] = x[i] > 0 ? x[i] : (real)(x[i] * negative_slope);
}

RS_KERNEL activation_leaky_relu_backward(const real* grad_output, const real* x, real* grad_input, int64 size,
                                         wide negative_slope) {
    RS_FOR_EACH(i, size) grad_input[i] = x[i] > 0 ? grad_output[i] : (real)(grad_output[i] * negative_slope);
}

// x + 3 between 0 and 6.
__device__ inline wide hinge(wide x) {
    const wide value = x + 3;
    return value < 0 ? 0 : value > 6 ? 6 : value;
}

RS_KERNEL activation_hardsigmoid(const real* x, real* out, int64 size) {
    RS_FOR_EACH(i, size) out[i] = hinge(x[i]) / 6;
}

RS_KERNEL activation_hardsigmoid_backward(const real* grad_output, const real* x, real* grad_input, int64 size) {
    RS_FOR_EACH(i, size) grad_input[i] = -3 < x[i] && x[i] < 3 ? (real)((wide)grad_output[i] / 6) : (real)0;
}

RS_KERNEL activation_hardswish(const real* x, real* out, int64 size) {
    RS_FOR_EACH(i, size) out[i] = x[i] * hinge(x[i]) / 6;
}

RS_KERNEL activation_hardswish_backward(const real* grad_output, const real* x, real* grad_input, int64 size) {
    RS_FOR_EACH(i, size) {
        const wide between = grad_output[i] * ((wide)x[i] / 3 + 0.5);
        grad_input[i] = x[i] <= -3 ? (real)0 : x[i] < 3 ? (real)between : grad_output[i];
    }
}

RS_KERNEL activation_elu(const real* x, real* out, int64 size, wide positive, wide negative, wide rate) {
    RS_FOR_EACH(i, size) out[i] = x[i] > 0 ? x[i] * positive : expm1(x[i] * rate) * negative;
}

RS_KERNEL activation_elu_backward(const real* grad_output, const real* x, real* grad_input, int64 size, wide positive,
                                  wide negative, wide rate) {
    RS_FOR_EACH(i, size) {
        const wide slope = x[i] <= 0 ? exp(x[i] * rate) * (negative * rate) : positive;
        grad_input[i] = grad_output[i] * slope;
    }
}

__device__ inline wide sigmoid(wide x) { return 1 / (1 + exp(-x)); }

RS_KERNEL activation_sigmoid(const real* x, real* out, int64 size) {
    RS_FOR_EACH(i, size) out[i] = sigmoid(x[i]);
}

RS_KERNEL activation_sigmoid_backward(const real* grad_output, const real* out, real* grad_input, int64 size) {
    RS_FOR_EACH(i, size) grad_input[i] = grad_output[i] * (out[i] * ((wide)1 - out[i]));
}

RS_KERNEL activation_tanh(const real* x, real* out, int64 size) {
    RS_FOR_EACH(i, size) out[i] = tanh((wide)x[i]);
}

RS_KERNEL activation_tanh_backward(const real* grad_output, const real* out, real* grad_input, int64 size) {
    RS_FOR_EACH(i, size) grad_input[i] = grad_output[i] * (((wide)1 - out[i]) * ((wide)1 + out[i]));
}

// log(1 + e**x) without overflow.
__device__ inline wide log_of_one_and_exp(wide x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

RS_KERNEL activation_softplus(const real* x, real* out, int64 size, wide beta, wide threshold) {
    RS_FOR_EACH(i, size) {
        const wide value = x[i] * beta;
        out[i] = value > threshold ? (wide)x[i] : log_of_one_and_exp(value) / beta;
    }
}

RS_KERNEL activation_softplus_backward(const real* grad_output, const real* x, real* grad_input, int64 size, wide beta,
                                       wide threshold) {
    RS_FOR_EACH(i, size) {
        const wide value = x[i] * beta;
        grad_input[i] = value > threshold ? (wide)grad_output[i] : grad_output[i] * sigmoid(value);
    }
}

RS_KERNEL activation_silu(const real* x, real* out, int64 size) {
    RS_FOR_EACH(i, size) out[i] = x[i] * sigmoid(x[i]);
}

RS_KERNEL activation_silu_backward(const real* grad_output, const real* x, real* grad_input, int64 size) {
    RS_FOR_EACH(i, size) {
        const wide s = sigmoid(x[i]), complement = sigmoid(-(wide)x[i]);
        grad_input[i] = grad_output[i] * (s * (1 + x[i] * complement));
    }
}

RS_KERNEL activation_gelu(const real* x, real* out, int64 size) {
    RS_FOR_EACH(i, size) out[i] = x[i] * (erfc(-ROOT_HALF * x[i]) / 2);
}

RS_KERNEL activation_gelu_backward(const real* grad_output, const real* x, real* grad_input, int64 size) {
    RS_FOR_EACH(i, size) {
        const wide density = exp(-0.5 * (wide)x[i] * x[i]) * DENSITY;
        grad_input[i] = grad_output[i] * (erfc(-ROOT_HALF * x[i]) / 2 + x[i] * density);
    }
}

RS_KERNEL activation_gelu_tanh(const real* x, real* out, int64 size) {
    RS_FOR_EACH(i, size) {
        const wide value = x[i];
        out[i] = value / (1 + exp(-2 * ROOT * value * (1 + CUBIC * value * value)));
    }
}

RS_KERNEL activation_gelu_tanh_backward(const real* grad_output, const real* x, real* grad_input, int64 size) {
    RS_FOR_EACH(i, size) {
        const wide value = x[i], u = ROOT * value * (1 + CUBIC * value * value), s = sigmoid(2 * u);
        const wide bell = s * sigmoid(-2 * u);  // 0 far out, where its factor overflows
        const wide slope = bell != 0 ? 2 * value * ROOT * (1 + 3 * CUBIC * value * value) * bell : 0 * value;
        grad_input[i] = grad_output[i] * (s + slope);
    }
}

RS_KERNEL activation_mish(const real* x, real* out, int64 size) {
    RS_FOR_EACH(i, size) out[i] = x[i] * tanh(log_of_one_and_exp(x[i]));
}

RS_KERNEL activation_mish_backward(const real* grad_output, const real* x, real* grad_input, int64 size) {
    RS_FOR_EACH(i, size) {
        const wide value = x[i], soft = log_of_one_and_exp(value);
        const wide slope = 1 / (cosh(soft) * cosh(soft)) / (1 + exp(-value));
        grad_input[i] = grad_output[i] * (tanh(soft) + value * slope);
    }
}
