/* needs: copy_mve matmul_s8_mve */
/* A convolution of one pixel with itself: two pixels are copied to scratch, so that the output may lie over them. */
struct ek_pointwise_s8_mve {
  struct ek_matmul_s8_mve matmul;
  int32_t pixels;
};

EK_KERNEL void ek_pointwise_s8_mve(const struct ek_pointwise_s8_mve *p, const int8_t *x, int8_t *y, void *scratch) {
  const struct ek_matmul_s8_mve *const m = &p->matmul;
  int8_t *const first = (int8_t *)scratch;
  int8_t *const second = first + ((m->depth + 15) & ~15);
  for (int32_t left = p->pixels; left > 0; left -= 2) {
    const bool is_pair = left > 1;
    (void)ek_copy_mve(first, x, m->depth);
    (void)ek_copy_mve(second, is_pair ? x + m->depth : x, m->depth);
    ek_matmul_s8_mve(m, first, second, y, is_pair ? y + m->outputs : y);
    x += 2 * m->depth;
    y += 2 * m->outputs;
  }
}
