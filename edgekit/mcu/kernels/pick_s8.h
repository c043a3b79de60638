/* needs: copy_s8 */
/* y[i][j][k][l][0..inner) = x + at_0[i] + at_1[j] + at_2[k] + at_3[l]: each axis of the output has its places. */
struct ek_pick_s8 {
  const int32_t *at_0, *at_1, *at_2, *at_3;
  int32_t out_0, out_1, out_2, out_3, inner;
};

EK_KERNEL void ek_pick_s8(const struct ek_pick_s8 *p, const int8_t *x, int8_t *y) {
  for (int32_t i = 0; i < p->out_0; ++i) {
    for (int32_t j = 0; j < p->out_1; ++j) {
      for (int32_t k = 0; k < p->out_2; ++k) {
        const int8_t *const from = x + p->at_0[i] + p->at_1[j] + p->at_2[k];
        for (int32_t l = 0; l < p->out_3; ++l) {
          y = ek_copy_s8(y, from + p->at_3[l], p->inner);
        }
      }
    }
  }
}
