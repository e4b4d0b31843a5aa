// Many arrays in one launch: they are cut into chunks, and a block takes one at a time. Two tables in memory say what there is:
// of each chunk the row, the first element and the end; and of each row the addresses of its arrays, one column after another.
// The arrays of a row are equally long.

struct Chunk {
    int64 row, first, last;  // elements first <= i < last
};

__device__ inline Chunk chunk_at(const int64* chunks, int64 i) { return {chunks[3 * i], chunks[3 * i + 1], chunks[3 * i + 2]}; }

__device__ inline real* array_at(const int64* addresses, int64 rows, int column, int64 row) {
    return reinterpret_cast<real*>(addresses[column * rows + row]);
}

#define RS_FOR_EACH_CHUNK(i, count) for (int64 i = blockIdx.x; i < (count); i += gridDim.x)

// Neighbouring threads take neighbouring elements.
#define RS_FOR_EACH_OF(i, chunk) for (int64 i = (chunk).first + threadIdx.x; i < (chunk).last; i += blockDim.x)
