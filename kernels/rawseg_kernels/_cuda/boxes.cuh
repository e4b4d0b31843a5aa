// Intersection over union of two boxes (x1, y1, x2, y2), in double precision; 0 where both have no area.
__device__ inline wide overlap(const real* one, const real* other) {
    const wide x1 = one[0], y1 = one[1], x2 = one[2], y2 = one[3];
    const wide left = x1 < other[0] ? other[0] : x1, right = x2 > other[2] ? other[2] : x2;
    const wide top = y1 < other[1] ? other[1] : y1, bottom = y2 > other[3] ? other[3] : y2;
    const wide w = right - left > 0 ? right - left : 0, h = bottom - top > 0 ? bottom - top : 0;
    const wide area = ((wide)other[2] - other[0]) * ((wide)other[3] - other[1]);
    const wide all = (x2 - x1) * (y2 - y1) + area - w * h;
    return all > 0 ? w * h / all : 0;
}
