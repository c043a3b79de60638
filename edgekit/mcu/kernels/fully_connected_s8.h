/* needs: dense_s8 */
/* y[b][o] = requantize(bias[o] + sum_d x[b][d] * weights[o][d]) */
struct ek_fully_connected_s8 {
  struct ek_dense_s8 dense;
  int32_t batches, outputs;
};

EK_KERNEL void ek_fully_connected_s8(const struct ek_fully_connected_s8 *p, const int8_t *x, int8_t *y) {
  for (int32_t b = 0; b < p->batches; ++b) {
    ek_dense_s8(&p->dense, x, y, 0, p->outputs);
    x += p->dense.depth;
    y += p->outputs;
  }
}
