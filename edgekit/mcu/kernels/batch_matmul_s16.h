/* needs: requantize scale_wide */
/* y[..][i][j] = clamp(scale(sum_k a[..][i][k] * b[..][k][j])); both inputs in any
   order of their last two axes, up to three axes of matrices with broadcasting. */
struct ek_batch_matmul_s16 {
  const int32_t *matrices; /* [9]: how many, steps of a, steps of b, 3 each */
  int32_t rows, depth, columns;
  int32_t a_row, a_step, b_step, b_column; /* items from one row, place in the sum, or column to the next */
  int32_t multiplier, shift;
};

EK_INLINE void ek_matmul_s16(const struct ek_batch_matmul_s16 *p, const int16_t *a, const int16_t *b, int16_t *y) {
  for (int32_t i = 0; i < p->rows; ++i) {
    for (int32_t j = 0; j < p->columns; ++j) {
      const int16_t *one = a + i * p->a_row;
      const int16_t *other = b + j * p->b_column;
      int64_t sum = 0;
      for (int32_t k = 0; k < p->depth; ++k) {
        sum += one[k * p->a_step] * other[k * p->b_step];
      }
      *y++ = (int16_t)ek_clamp(ek_scale_wide(sum, p->multiplier, p->shift), -32768, 32767);
    }
  }
}

EK_KERNEL void ek_batch_matmul_s16(const struct ek_batch_matmul_s16 *p, const int16_t *a, const int16_t *b, int16_t *y) {
  const int32_t *count = p->matrices;
  const int32_t *a_pitch = p->matrices + 3;
  const int32_t *b_pitch = p->matrices + 6;
  for (int32_t i = 0; i < count[0]; ++i) {
    for (int32_t j = 0; j < count[1]; ++j) {
      for (int32_t k = 0; k < count[2]; ++k) {
        const int16_t *one = a + i * a_pitch[0] + j * a_pitch[1] + k * a_pitch[2];
        ek_matmul_s16(p, one, b + i * b_pitch[0] + j * b_pitch[1] + k * b_pitch[2], y);
        y += p->rows * p->columns;
      }
    }
  }
}
