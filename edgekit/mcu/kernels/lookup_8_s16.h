/* y[i] = table[x[i]], x as bytes */
struct ek_lookup_8_s16 {
  const int16_t *table; /* [256] */
  int32_t size;
};

EK_KERNEL void ek_lookup_8_s16(const struct ek_lookup_8_s16 *p, const void *x, int16_t *y) {
  const uint8_t *from = x;
  for (int32_t i = 0; i < p->size; ++i) {
    y[i] = p->table[from[i]];
  }
}
