// Non-maximum suppression of boxes that come in the order of their scores: every pair that overlaps too much becomes a bit, and
// then one block reads the bits, 64 boxes at a time, and settles who stays. Nothing has to return to the host on the way.
#include "boxes.cuh"

typedef unsigned long long bits;  // of the boxes of a word: box 64 word + b has bit b

// A thread a row and a word: which of the word's boxes would be dropped by the row's, if that stays. Only later boxes can be.
RS_KERNEL nms_overlaps(const real* boxes, const int64* groups, int64* mask, int64 first, int64 rows, int64 count, int64 words,
                       wide iou_threshold) {
    RS_FOR_EACH(at, rows * words) {
        const int64 row = at % rows, best = first + row, start = at / rows * 64;  // threads of a warp read the same boxes
        const int64 end = min(start + 64, count);
        bits dropped = 0;
        for (int64 i = max(start, best + 1); i < end; ++i)
            if (groups[i] == groups[best] && overlap(boxes + 4 * best, boxes + 4 * i) > iou_threshold)
                dropped |= (bits)1 << (i - start);
        mask[row * words + at / rows] = (int64)dropped;
    }
}

// One block. `removed` has a bit of each box, set by the boxes before `first`.
RS_KERNEL nms_settle(const int64* mask, int64* removed, bool* keep, int64 first, int64 rows, int64 words) {
    __shared__ bits dropped_by[64];
    __shared__ bits staying;
    for (int64 start = 0; start < rows; start += 64) {
        const int64 word = (first + start) / 64;
        const int boxes = (int)min((int64)64, rows - start);
        for (int b = threadIdx.x; b < boxes; b += blockDim.x) dropped_by[b] = (bits)mask[(start + b) * words + word];
        __syncthreads();
        if (threadIdx.x == 0) {  // within a word one box after the other
            bits gone = (bits)removed[word];
            staying = 0;
            for (int b = 0; b < boxes; ++b) {
                if (gone >> b & 1) continue;
                staying |= (bits)1 << b;
                gone |= dropped_by[b];
            }
        }
        __syncthreads();
        for (int b = threadIdx.x; b < boxes; b += blockDim.x) keep[first + start + b] = staying >> b & 1;
        for (int64 later = word + 1 + threadIdx.x; later < words; later += blockDim.x) {
            bits gone = (bits)removed[later];
            for (int b = 0; b < boxes; ++b)
                if (staying >> b & 1) gone |= (bits)mask[(start + b) * words + later];
            removed[later] = (int64)gone;
        }
    }  // the next word's first barrier comes before anybody reads `removed`, and before `staying` changes
}
