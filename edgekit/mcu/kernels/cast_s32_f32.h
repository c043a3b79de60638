/* y = x in another type */
struct ek_cast_s32_f32 {
  int32_t size;
};

EK_KERNEL void ek_cast_s32_f32(const struct ek_cast_s32_f32 *p, const int32_t *x, float *y) {
  for (int32_t i = 0; i < p->size; ++i) {
    y[i] = (float)x[i];
  }
}
