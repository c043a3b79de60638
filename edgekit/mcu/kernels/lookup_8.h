/* y[i] = table[x[i]], x as bytes */
struct ek_lookup_8 {
  const uint8_t *table; /* [256] */
  int32_t size;
};

EK_KERNEL void ek_lookup_8(const struct ek_lookup_8 *p, const void *x, void *y) {
  const uint8_t *from = x;
  uint8_t *to = y;
  for (int32_t i = 0; i < p->size; ++i) {
    to[i] = p->table[from[i]];
  }
}
