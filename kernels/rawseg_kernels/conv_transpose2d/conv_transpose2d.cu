// Transposed convolution gathers: a thread an output adds up the elements that reference.py scatters to it, in the order of the
// elements, which is that of the taps backwards. Sums are in double, rounded once.

// The element whose tap of this offset lands at a place of the output, or -1: they lie a stride apart.
__device__ inline int64 element_at(int64 place, int64 offset, int stride, int size) {
    const int64 steps = place - offset;
    return steps >= 0 && steps % stride == 0 && steps / stride < size ? steps / stride : -1;
}

RS_KERNEL conv_transpose2d_forward(const real* x, const real* weight, const real* bias, real* out, int64 count, int channels,
                                   int h, int w, int per_group, int out_h, int out_w, int kernel_h, int kernel_w, int stride_h,
                                   int stride_w, int padding_h, int padding_w, int dilation_h, int dilation_w, int groups) {
    const int depth = channels / groups;
    RS_FOR_EACH(i, count) {
        const int64 ow = i % out_w, oh = i / out_w % out_h, b = i / out_w / out_h / ((int64)per_group * groups);
        const int k = i / out_w / out_h % ((int64)per_group * groups);
        const int64 first = (int64)(k / per_group) * depth;  // of the input channels of this group
        wide total = 0;
        for (int64 c = first; c < first + depth; ++c) {
            const real* plane = x + (b * channels + c) * h * w;
            const real* taps = weight + (c * per_group + k % per_group) * kernel_h * kernel_w;
            for (int kh = kernel_h - 1; kh >= 0; --kh) {
                const int64 ih = element_at(oh + padding_h, (int64)kh * dilation_h, stride_h, h);
                if (ih < 0) continue;
                for (int kw = kernel_w - 1; kw >= 0; --kw) {
                    const int64 iw = element_at(ow + padding_w, (int64)kw * dilation_w, stride_w, w);
                    if (iw >= 0) total += (wide)plane[ih * w + iw] * taps[(int64)kh * kernel_w + kw];
                }
            }
        }
        if (bias) total += bias[k];
        out[i] = total;
    }
}
