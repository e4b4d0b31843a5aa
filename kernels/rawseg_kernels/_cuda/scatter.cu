// What belongs to one place, one after the other: elements come sorted by their place, and equal ones in their order.

// The first of `entries` sorted places that is not below `place`.
__device__ inline int64 first_at(const int64* places, int64 entries, int64 place) {
    int64 low = 0, high = entries;
    while (low < high) {
        const int64 middle = low + (high - low) / 2;
        if (places[middle] < place) low = middle + 1;
        else high = middle;
    }
    return low;
}

RS_KERNEL scatter_sums(const real* values, const int64* places, const int64* order, real* out, int64 count, int64 entries) {
    RS_FOR_EACH(i, count) {
        wide sum = 0;
        for (int64 e = first_at(places, entries, i); e < entries && places[e] == i; ++e) sum += values[order[e]];
        out[i] = sum;
    }
}

RS_KERNEL scatter_last(const real* values, const int64* places, const int64* order, real* out, int64 count, int64 entries) {
    RS_FOR_EACH(i, count) {
        const int64 after = first_at(places, entries, i + 1);
        out[i] = after > 0 && places[after - 1] == i ? values[order[after - 1]] : (real)0;
    }
}
