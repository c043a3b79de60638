/* needs: bounded_f32 */
/* y = x in another type */
struct ek_cast_f32_s32 {
  int32_t size;
};

EK_KERNEL void ek_cast_f32_s32(const struct ek_cast_f32_s32 *p, const float *x, int32_t *y) {
  for (int32_t i = 0; i < p->size; ++i) {
    y[i] = (int32_t)ek_bounded_f32(x[i], -2147483648.0F, 2147483520.0F);
  }
}
