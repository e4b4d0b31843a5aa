// Whether an index that the caller gave points into `size` elements. It was checked before; but a graph tells of a wrong one
// only after its replay, and until then no kernel may leave its arrays.
__device__ inline bool inside(int64 index, int64 size) { return (unsigned long long)index < (unsigned long long)size; }
