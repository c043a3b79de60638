/* y = x in another type */
struct ek_cast_s16_s32 {
  int32_t size;
};

EK_KERNEL void ek_cast_s16_s32(const struct ek_cast_s16_s32 *p, const int16_t *x, int32_t *y) {
  for (int32_t i = 0; i < p->size; ++i) {
    y[i] = (int32_t)x[i];
  }
}
