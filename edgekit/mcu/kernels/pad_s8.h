/* needs: copy_s8 */
/* x[in_0][in_1][in_2][in_3] inside y[out_0][out_1][out_2][out_3], beginning at before_n; `value` around it. */
struct ek_pad_s8 {
  int32_t in_0, in_1, in_2, in_3, out_0, out_1, out_2, out_3, before_0, before_1, before_2, before_3;
  int32_t value;
};

EK_KERNEL void ek_pad_s8(const struct ek_pad_s8 *p, const int8_t *x, int8_t *y) {
  const int32_t after = p->out_3 - p->before_3 - p->in_3;
  for (int32_t i = -p->before_0; i < p->out_0 - p->before_0; ++i) {
    for (int32_t j = -p->before_1; j < p->out_1 - p->before_1; ++j) {
      for (int32_t k = -p->before_2; k < p->out_2 - p->before_2; ++k) {
        if (i >= 0 && i < p->in_0 && j >= 0 && j < p->in_1 && k >= 0 && k < p->in_2) {
          y = ek_fill_s8(y, p->before_3, p->value);
          y = ek_copy_s8(y, x, p->in_3);
          y = ek_fill_s8(y, after, p->value);
          x += p->in_3;
        } else {
          y = ek_fill_s8(y, p->out_3, p->value);
        }
      }
    }
  }
}
