/* needs: softmax_row */
/* y[r][c] = e^(x[r][c] - max of row r) / sum over the row, in steps of 1/256 from -128. */
struct ek_softmax_s8 {
  const int32_t *powers; /* [256] */
  int32_t rows, depth;
};

EK_KERNEL void ek_softmax_s8(const struct ek_softmax_s8 *p, const int8_t *x, int8_t *y) {
  for (int32_t r = 0; r < p->rows; ++r) {
    const int32_t max = ek_row_max(x, p->depth);
    int32_t exponent;
    const int32_t scale = ek_softmax_scale(p->powers, x, p->depth, max, &exponent);
    for (int32_t c = 0; c < p->depth; ++c) {
      const int32_t value = ek_softmax_value(p->powers[max - x[c]], scale, exponent + 23) - 128;
      y[c] = (int8_t)(value > 127 ? 127 : value);
    }
    x += p->depth;
    y += p->depth;
  }
}
