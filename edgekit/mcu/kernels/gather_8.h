/* y[b][o][c] = x[b][o][places[b][c]], runs of items; a place outside the axis gives its nearest end. */
struct ek_gather_8 {
  int32_t batches, outer, size, count, inner;
};

EK_KERNEL void ek_gather_8(const struct ek_gather_8 *p, const void *x, const int32_t *places, void *y) {
  const uint8_t *from = x;
  uint8_t *to = y;
  for (int32_t b = 0; b < p->batches; ++b) {
    for (int32_t o = 0; o < p->outer; ++o) {
      for (int32_t c = 0; c < p->count; ++c) {
        const int32_t asked = places[b * p->count + c];
        const int32_t place = asked < 0 ? 0 : (asked < p->size ? asked : p->size - 1);
        for (int32_t i = 0; i < p->inner; ++i) {
          *to++ = from[place * p->inner + i];
        }
      }
      from += p->size * p->inner;
    }
  }
}
