// CUDA's words in C++, so that a kernel runs on the CPU from its own source: under a debugger, or under sanitizers.
//
// One thread of the operating system runs the grid, block after block. A block whose threads never wait for each other is a
// loop over them. Else every thread is a fiber with a stack of its own, which runs until it waits, in an order that the caller
// chooses: what depends on the order shows. Shared memory holds NaN when a block begins, and a wait that not all threads reach
// is an error. What this cannot show: real concurrency, the order of memory, speed, the last bits of CUDA's own exp and log.
#pragma once
#define RS_ON_CPU 1

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <numeric>
#include <vector>
#include <setjmp.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define RS_ASAN(...) __VA_ARGS__
#else
#define RS_ASAN(...)
#endif

#define __global__
#define __device__ __attribute__((visibility("hidden")))  // of members, too, which static would change
#define __constant__ static const
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
#define __restrict__ __restrict
#define __shared__ static __attribute__((section("rs_shared")))  // its own section: it is filled with NaN before every block
#define RS_DYNAMIC_SHARED(type, name) type* name = reinterpret_cast<type*>(on_cpu::dynamic_shared)

using std::fma;  // of float, too: C has that of double alone, and would round twice
using std::max;
using std::min;

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(16) double2 { double x, y; };

namespace on_cpu {

struct Index { unsigned x, y, z; };
static Index thread_index, block_index, block_size, grid_size;

enum State { READY, AT_BARRIER, AT_WARP, DONE };
enum Order { FORWARD, BACKWARD, SHUFFLED };

constexpr int WARP = 32, MOST_THREADS = 1024;
constexpr size_t STACK = 256 << 10, MOST_SHARED = 227 << 10;

struct Fiber {
    ucontext_t context;
    jmp_buf place;  // where it waits
    bool begun;     // it is in `steps`
    char* stack;
    State state;
    Index index;
    int site;   // of the barrier at which it waits
    int turns;  // products of tensor cores that it took part in
    RS_ASAN(void* fake_stack;)
};

static std::deque<Fiber> fibers;  // which never move: a context points into itself
static void (*kernel)();
static int current, threads;
static bool may_wait, truncates;  // whether tensor cores truncate after every addition
static const char* error;
static char message[300];
static uint64_t random_state;
alignas(128) static unsigned char dynamic_shared[MOST_SHARED + 64];
alignas(16) static unsigned char exchanged[3][MOST_THREADS][32];  // what each thread shows to its warp, on three boards
static uint32_t taking_part[MOST_THREADS / WARP];              // the mask of a warp's last exchange

extern "C" unsigned char __start_rs_shared[] __attribute__((weak)), __stop_rs_shared[] __attribute__((weak));

static void fail(const char* what) {
    if (error) return;
    snprintf(message, sizeof message, "%s (block %u, %u, %u; thread %u, %u, %u)", what, block_index.x, block_index.y,
             block_index.z, thread_index.x, thread_index.y, thread_index.z);
    error = message;
}

// Fibers. They jump, which takes no call of the system; the address sanitizer takes a jump for the end of a function, so that
// under it they change contexts.

#if defined(__SANITIZE_ADDRESS__)
static ucontext_t scheduler;
static const void* main_stack;
static size_t main_size;
static void* main_fake;

static void leave() {
    Fiber& fiber = fibers[current];
    __sanitizer_start_switch_fiber(&fiber.fake_stack, main_stack, main_size);
    swapcontext(&fiber.context, &scheduler);
    __sanitizer_finish_switch_fiber(fiber.fake_stack, &main_stack, &main_size);
}

static void go_on(Fiber& fiber) {
    fiber.begun = true;
    __sanitizer_start_switch_fiber(&main_fake, fiber.stack, STACK);
    swapcontext(&scheduler, &fiber.context);
    __sanitizer_finish_switch_fiber(main_fake, nullptr, nullptr);
}
#else
static jmp_buf scheduler;

static void leave() {
    if (!_setjmp(fibers[current].place)) _longjmp(scheduler, 1);
}

static void go_on(Fiber& fiber) {
    if (_setjmp(scheduler)) return;
    if (fiber.begun) _longjmp(fiber.place, 1);
    fiber.begun = true;
    setcontext(&fiber.context);
}
#endif

static void enter(int number) {
    current = number;
    thread_index = fibers[number].index;
    go_on(fibers[number]);
}

// One block after the other.
static void steps() {
    RS_ASAN(__sanitizer_finish_switch_fiber(nullptr, &main_stack, &main_size);)
    for (;;) {
        kernel();
        fibers[current].state = DONE;
        leave();
    }
}

static void wait(State state, int site = 0) {
    if (!may_wait) {
        fprintf(stderr, "a kernel that was launched as one without barriers waits at one\n");
        abort();
    }
    fibers[current].state = state;
    fibers[current].site = site;
    leave();
}

static Index index_of(int number) {
    const unsigned i = number;
    return {i % block_size.x, i / block_size.x % block_size.y, i / block_size.x / block_size.y};
}

static void make(Fiber& fiber) {
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = fiber.stack;
    fiber.context.uc_stack.ss_size = STACK;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, steps, 0);
    fiber.begun = false;
    RS_ASAN(fiber.fake_stack = nullptr;)
}

static void begin_block() {
    while ((int)fibers.size() < threads) {
        fibers.emplace_back();
        Fiber& fiber = fibers.back();
        fiber.stack = (char*)malloc(STACK);
        fiber.state = DONE;
    }
    for (int i = 0; i < threads; ++i) {
        Fiber& fiber = fibers[i];
        if (fiber.state != DONE || !fiber.begun) make(fiber);  // where there was an error, it is amid a block
        fiber.state = READY;
        fiber.turns = 0;
        fiber.index = index_of(i);
    }
}

static void put_in_order(std::vector<int>& order, int how) {
    std::iota(order.begin(), order.end(), 0);
    if (how == BACKWARD) std::reverse(order.begin(), order.end());
    for (int i = how == SHUFFLED ? threads - 1 : 0; i > 0; --i) {
        random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
        std::swap(order[i], order[(random_state >> 33) % (i + 1)]);
    }
}

// Let warps go on whose threads have all come to an exchange; return whether there was one.
static bool release_warps() {
    bool released = false;
    for (int first = 0; first < threads; first += WARP) {
        const int last = min(threads, first + WARP);
        bool waiting = false, complete = true;
        for (int i = first; i < last; ++i) {
            waiting |= fibers[i].state == AT_WARP;
            complete &= fibers[i].state == AT_WARP || !(taking_part[first / WARP] >> (i - first) & 1);
        }
        for (int i = first; waiting && complete && i < last; ++i)
            if (fibers[i].state == AT_WARP) fibers[i].state = READY;
        released |= waiting && complete;
    }
    return released;
}

// Let the block go on if all its threads wait at one barrier; return whether they did.
static bool release_block() {
    int waiting = 0, done = 0;
    bool one_site = true;
    for (int i = 0, site = -1; i < threads; ++i) {
        done += fibers[i].state == DONE;
        if (fibers[i].state != AT_BARRIER) continue;
        one_site &= site < 0 || site == fibers[i].site;
        site = fibers[i].site;
        ++waiting;
    }
    if (waiting < threads) {
        fail(waiting + done == threads ? "__syncthreads is not reached by threads that have ended"
                                       : "threads wait for each other at different places");
        return false;
    }
    if (!one_site) fail("threads of a block wait at different __syncthreads");
    for (int i = 0; i < threads; ++i) fibers[i].state = READY;
    return one_site;
}

static void run_block_of_fibers(int how) {
    std::vector<int> order(threads);
    begin_block();
    for (;;) {
        put_in_order(order, how);
        for (int i : order)
            if (fibers[i].state == READY && !error) enter(i);
        if (error) return;
        if (release_warps()) continue;
        if (std::all_of(fibers.begin(), fibers.begin() + threads, [](const Fiber& f) { return f.state == DONE; })) return;
        if (!release_block()) return;
    }
}

static void run_block_in_a_loop(int how) {
    for (int i = 0; i < threads; ++i) {
        current = how == BACKWARD ? threads - 1 - i : i;
        thread_index = index_of(current);
        kernel();
    }
}

// Warps

static int lane() { return current % WARP; }

// Show a value to the threads of the mask, and wait until all have shown theirs.
template <class T> static void show(uint32_t mask, const T& value, int board = 0) {
    static_assert(sizeof(T) <= sizeof exchanged[0][0], "at most 32 bytes are exchanged");
    const int left = threads - current / WARP * WARP;
    if (!(mask >> lane() & 1)) fail("a thread is not in its own mask");
    taking_part[current / WARP] = left < WARP ? mask & ((1u << left) - 1) : mask;
    memcpy(exchanged[board][current], &value, sizeof value);
    wait(AT_WARP);
}

template <class T> static T shown_by(int other, int board = 0) {
    T value;
    memcpy(&value, exchanged[board][current / WARP * WARP + other], sizeof value);
    return value;
}

template <class T> static T exchange(uint32_t mask, T value, int other) {
    show(mask, value);
    const bool there = other >= 0 && current / WARP * WARP + other < threads;
    if (there && !(mask >> other & 1)) fail("a thread outside the mask is asked");
    const T answer = there ? shown_by<T>(other) : value;
    wait(AT_WARP);  // nobody shows the next value before all have read
    return answer;
}

// Launches

__attribute__((no_sanitize("address"))) static void spoil_shared_memory(size_t bytes) {
    RS_ASAN(__asan_unpoison_memory_region(dynamic_shared, sizeof dynamic_shared);)
    for (volatile unsigned char* p = dynamic_shared; p < dynamic_shared + bytes; ++p) *p = 0xff;
    for (volatile unsigned char* p = __start_rs_shared; p && p < __stop_rs_shared; ++p) *p = 0xff;
    RS_ASAN(__asan_poison_memory_region(dynamic_shared + bytes, sizeof dynamic_shared - bytes);)
}

struct Launch {
    unsigned grid[3], block[3];
    int64_t shared;
    int32_t waits, order, truncates;
    uint64_t seed;
};

template <class Call> const char* launch(Call call, const Launch& how) {
    static Call* calling;
    calling = &call;
    kernel = [] { (*calling)(); };
    grid_size = {how.grid[0], how.grid[1], how.grid[2]};
    block_size = {how.block[0], how.block[1], how.block[2]};
    threads = block_size.x * block_size.y * block_size.z;
    error = nullptr;
    random_state = how.seed;
    may_wait = how.waits;
    truncates = how.truncates;
    const int64_t blocks = (int64_t)grid_size.x * grid_size.y * grid_size.z;
    for (int64_t i = 0; i < blocks && !error; ++i) {
        const uint64_t b = how.order == BACKWARD ? blocks - 1 - i : i;
        block_index = {unsigned(b % grid_size.x), unsigned(b / grid_size.x % grid_size.y),
                       unsigned(b / grid_size.x / grid_size.y)};
        spoil_shared_memory(how.shared);
        if (how.waits) run_block_of_fibers(how.order);
        else run_block_in_a_loop(how.order);
    }
    return error;
}

}  // namespace on_cpu

#define threadIdx on_cpu::thread_index
#define blockIdx on_cpu::block_index
#define blockDim on_cpu::block_size
#define gridDim on_cpu::grid_size
#define __syncthreads() on_cpu::wait(on_cpu::AT_BARRIER, __COUNTER__)
#define __syncwarp() ((void)on_cpu::exchange<int>(~0u, 0, on_cpu::lane()))

template <class T> static T __shfl_sync(unsigned mask, T value, int from) { return on_cpu::exchange(mask, value, from & 31); }
template <class T> static T __shfl_xor_sync(unsigned mask, T value, int bits) {
    return on_cpu::exchange(mask, value, on_cpu::lane() ^ bits);
}
template <class T> static T __shfl_down_sync(unsigned mask, T value, int distance) {
    const int from = on_cpu::lane() + distance;
    return on_cpu::exchange(mask, value, from < on_cpu::WARP ? from : on_cpu::lane());
}
template <class T> static T __shfl_up_sync(unsigned mask, T value, int distance) {
    const int from = on_cpu::lane() - distance;
    return on_cpu::exchange(mask, value, from >= 0 ? from : on_cpu::lane());
}
static inline unsigned __ballot_sync(unsigned mask, int predicate) {
    on_cpu::show(mask, predicate);
    unsigned found = 0;
    for (int i = 0; i < on_cpu::WARP && on_cpu::current / 32 * 32 + i < on_cpu::threads; ++i)
        if (mask >> i & 1 && on_cpu::shown_by<int>(i)) found |= 1u << i;
    on_cpu::wait(on_cpu::AT_WARP);
    return found;
}
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
static inline int __ffs(int x) { return __builtin_ffs(x); }
static inline int __ffsll(long long x) { return __builtin_ffsll(x); }
template <class T> static inline T __ldg(const T* p) { return *p; }
static inline float __int_as_float(int bits) { float x; memcpy(&x, &bits, 4); return x; }
static inline int __float_as_int(float x) { int bits; memcpy(&bits, &x, 4); return bits; }
static inline double __longlong_as_double(long long bits) { double x; memcpy(&x, &bits, 8); return x; }
static inline long long __double_as_longlong(double x) { long long bits; memcpy(&bits, &x, 8); return bits; }
static inline float rsqrtf(float x) { return 1 / sqrtf(x); }
static inline double rsqrt(double x) { return 1 / sqrt(x); }
