/* y[i] = f(a[i], b[i]) over four loops. shape: sizes, steps of a, steps of b, 4 each; a step of 0 repeats an item. */
EK_INLINE void ek_broadcast_s8(const int32_t *shape, int32_t (*f)(const void *, int32_t, int32_t), const void *p,
                               const int8_t *a, const int8_t *b, int8_t *y) {
  for (int32_t i = 0; i < shape[0]; ++i) {
    for (int32_t j = 0; j < shape[1]; ++j) {
      for (int32_t k = 0; k < shape[2]; ++k) {
        const int8_t *one = a + i * shape[4] + j * shape[5] + k * shape[6];
        const int8_t *other = b + i * shape[8] + j * shape[9] + k * shape[10];
        for (int32_t l = 0; l < shape[3]; ++l) {
          *y++ = (int8_t)f(p, *one, *other);
          one += shape[7];
          other += shape[11];
        }
      }
    }
  }
}
