// The order of integers by merging: after every pass the sorted runs are twice as long. A thread an element: it counts by
// halving how many of the neighbouring run come before it, and so knows its place. Equal ones stay in their order.

RS_KERNEL order_begin(int64* order, int64 count) {
    RS_FOR_EACH(i, count) order[i] = i;
}

// From runs of `run` elements in `order`, the last one perhaps shorter, to runs of twice as many in `merged`.
RS_KERNEL order_merge(const int64* keys, const int64* order, int64* merged, int64 count, int64 run) {
    RS_FOR_EACH(i, count) {
        const int64 mine = i / run;
        const bool right = mine % 2;
        const int64 begin = right ? (mine - 1) * run : (mine + 1) * run < count ? (mine + 1) * run : count;
        const int64 end = begin + run < count ? begin + run : count;
        const int64 key = keys[order[i]];
        int64 low = begin, high = end;
        while (low < high) {
            const int64 middle = low + (high - low) / 2, other = keys[order[middle]];
            if (other < key || (right && other == key)) low = middle + 1;
            else high = middle;
        }
        merged[(right ? i - run : i) + low - begin] = order[i];
    }
}
