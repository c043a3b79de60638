/* needs: add_value scale_mve */
/* As add_s8 for inputs of the same shape. */
struct ek_add_s8_mve {
  struct ek_add_value value;
  int32_t elements;
};

struct ek_addend_mve {
  int32_t zero_point, left, multiplier, shift;
};

EK_INLINE int32x4_t ek_addend_mve(int32x4_t x, struct ek_addend_mve a) {
  return ek_scale_all_mve(vshlq_r_s32(vaddq_n_s32(x, -a.zero_point), a.left), a.multiplier, a.shift, a.shift < 0);
}

EK_KERNEL void ek_add_s8_mve(const struct ek_add_s8_mve *p, const int8_t *a, const int8_t *b, int8_t *y) {
  const struct ek_add_value *const v = &p->value;
  const struct ek_addend_mve one = {v->zero1, v->left, v->multiplier1, -v->right1};
  const struct ek_addend_mve other = {v->zero2, v->left, v->multiplier2, -v->right2};
  const int32_t sign = v->sign, multiplier = v->multiplier, shift = -v->right, zero_point = v->zero_point;
  const bool ties = v->low < v->zero_point;
  const int32x4_t low = vdupq_n_s32(v->low), high = vdupq_n_s32(v->high);
  for (int32_t left = p->elements; left > 0; left -= 4) {
    const mve_pred16_t some = vctp32q((uint32_t)left);
    const int32x4_t first = ek_addend_mve(vldrbq_z_s32(a, some), one);
    const int32x4_t second = ek_addend_mve(vldrbq_z_s32(b, some), other);
    const int32x4_t sum = ek_scale_all_mve(vmlaq_n_s32(first, second, sign), multiplier, shift, ties);
    vstrbq_p_s32(y, vminq_s32(vmaxq_s32(vaddq_n_s32(sum, zero_point), low), high), some);
    a += 4;
    b += 4;
    y += 4;
  }
}
