// Tensor cores: a warp multiplies 16 x 8 by 8 x 8 numbers of TF32, which has float's exponent and 11 of its 24 significant
// bits. From compute capability 8.0 on; on the CPU the warp's threads show each other their numbers.
//
// A thread holds, with g = lane / 4 and t = lane % 4,
//     of the left matrix    rows g and g + 8 at step t, then both at step t + 4
//     of the right matrix   steps t and t + 4 of column g
//     of the sums           columns 2t and 2t + 1 of row g, then both of row g + 8
// What it holds of a matrix is a fragment (PTX ISA, "Matrix Fragments for mma.m16n8k8").

struct LeftFragment { unsigned at[4]; };
struct RightFragment { unsigned at[2]; };

__device__ inline unsigned bits_of(float x) { return __float_as_int(x); }
__device__ inline float of_bits(unsigned bits) { return __int_as_float(bits); }

// The nearest number of TF32, of two the one farther from 0: 13 bits are cut off, and a carry may go as far as infinity.
__device__ inline unsigned to_tf32(float x) {
#ifndef RS_ON_CPU
    unsigned bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
#else
    if (is_nan(x)) return 0x7fffe000;  // not a carry out of it, and not the infinity that cutting off could leave
    return (bits_of(x) + 0x1000) & ~0x1fffu;
#endif
}

// x = hi + lo, to 2^-22 of x: what one rounding leaves, rounded. It leaves nothing of an infinity, or beside one.
__device__ inline void split(float x, unsigned& hi, unsigned& lo) {
    hi = to_tf32(x);
    const float rest = x - of_bits(hi);
    lo = rest - rest == 0 ? to_tf32(rest) : 0;
}

#ifdef RS_ON_CPU
namespace on_cpu {

struct Fragments { LeftFragment left; RightFragment right; };

static double of_tf32(unsigned bits) {
    if (bits & 0x1fff) fail("tensor cores are given a number that is not rounded to TF32");
    return of_bits(bits);
}

// The float before or at x, towards 0; what is too large for any is infinite.
static float truncated(double x) {
    const float near = x;
    return !std::isinf(near) && std::fabs((double)near) > std::fabs(x) ? std::nextafter(near, 0.0f) : near;
}

// One element: the sum before it and eight products, which are exact. How hardware adds them is not documented: at best they
// are rounded once, at worst each addition is truncated.
static float sum_of_eight(float before, const Fragments* lefts, const Fragments* rights, int lower) {
    double sum = before;
    for (int k = 0; k < 8; ++k) {
        sum += of_tf32(lefts[k % 4].left.at[k / 4 * 2 + lower]) * of_tf32(rights[k % 4].right.at[k / 4]);
        if (truncates) sum = truncated(sum);
    }
    return sum;
}

static void multiply(const LeftFragment& left, const RightFragment& right, float (&sums)[4]) {
    if (threads - current / WARP * WARP < WARP) fail("fewer threads than a warp have come to tensor cores");
    const int board = 1 + fibers[current].turns++ % 2;  // who shows on one has read the other: no second wait
    show(~0u, Fragments{left, right}, board);
    Fragments shown[WARP];
    for (int i = 0; i < WARP; ++i) shown[i] = shown_by<Fragments>(i, board);
    const int g = lane() / 4, t = lane() % 4;
    for (int i = 0; i < 4; ++i) sums[i] = sum_of_eight(sums[i], shown + 4 * g, shown + 4 * (2 * t + i % 2), i / 2);
}

}  // namespace on_cpu
#endif

// Add the product of two fragments to the sums. All threads of a warp come here together.
__device__ inline void multiply_fragments(const LeftFragment& left, const RightFragment& right, float (&sums)[4]) {
#ifndef RS_ON_CPU
    asm volatile(  // which keeps it out of branches that a part of a warp takes
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(left.at[0]), "r"(left.at[1]), "r"(left.at[2]), "r"(left.at[3]), "r"(right.at[0]), "r"(right.at[1]));
#else
    on_cpu::multiply(left, right, sums);
#endif
}
