/* y = x in another type */
struct ek_cast_s32_s16 {
  int32_t size;
};

EK_KERNEL void ek_cast_s32_s16(const struct ek_cast_s32_s16 *p, const int32_t *x, int16_t *y) {
  for (int32_t i = 0; i < p->size; ++i) {
    y[i] = (int16_t)x[i];
  }
}
