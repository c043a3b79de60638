/* y = x in another type */
struct ek_cast_s16_s8 {
  int32_t size;
};

EK_KERNEL void ek_cast_s16_s8(const struct ek_cast_s16_s8 *p, const int16_t *x, int8_t *y) {
  for (int32_t i = 0; i < p->size; ++i) {
    y[i] = (int8_t)x[i];
  }
}
