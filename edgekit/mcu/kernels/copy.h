/* y[i] = x[i], byte by byte */
struct ek_copy {
  int32_t bytes;
};

EK_KERNEL void ek_copy(const struct ek_copy *p, const void *x, void *y) {
  const uint8_t *from = (const uint8_t *)x;
  uint8_t *to = (uint8_t *)y;
  for (int32_t i = 0; i < p->bytes; ++i) {
    to[i] = from[i];
  }
}
