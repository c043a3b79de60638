/* y[i] = table[x[i]], x as bytes */
struct ek_lookup_8_s32 {
  const int32_t *table; /* [256] */
  int32_t size;
};

EK_KERNEL void ek_lookup_8_s32(const struct ek_lookup_8_s32 *p, const void *x, int32_t *y) {
  const uint8_t *from = x;
  for (int32_t i = 0; i < p->size; ++i) {
    y[i] = p->table[from[i]];
  }
}
