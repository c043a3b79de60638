/* needs: matmul_s8_mve */
/* y[b][o] = requantize(bias[o] + sum_d x[b][d] * weights[o][d]) */
struct ek_fully_connected_s8_mve {
  struct ek_matmul_s8_mve matmul;
  int32_t batches;
};

/* Sums of four outputs for one vector; gives the weights of the next four outputs. */
EK_INLINE const int8_t *ek_multiply_1x4_mve(int32x4_t *sums, const int8_t *x, const int8_t *w, int32_t depth) {
  int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
  __asm__ volatile("dlstp.8 lr, %[n]\n"
                   "1: vldrb.8 q0, [%[x]], #16\n\t"
                   "vldrb.8 q1, [%[w]], #16\n\t"
                   "vmladava.s8 %[sum0], q0, q1\n\t"
                   "vldrb.8 q2, [%[w]], #16\n\t"
                   "vmladava.s8 %[sum1], q0, q2\n\t"
                   "vldrb.8 q1, [%[w]], #16\n\t"
                   "vmladava.s8 %[sum2], q0, q1\n\t"
                   "vldrb.8 q2, [%[w]], #16\n\t"
                   "vmladava.s8 %[sum3], q0, q2\n\t"
                   "letp lr, 1b\n\t"
                   "vmov %q[sums][2], %q[sums][0], %[sum0], %[sum2]\n\t"
                   "vmov %q[sums][3], %q[sums][1], %[sum1], %[sum3]\n\t"
                   : [sums] "=&w"(*sums), [sum0] "+Te"(sum0), [sum1] "+Te"(sum1), [sum2] "+Te"(sum2),
                     [sum3] "+Te"(sum3), [x] "+r"(x), [w] "+r"(w)
                   : [n] "r"(depth)
                   : "lr", "q0", "q1", "q2", "memory");
  return w;
}

EK_INLINE void ek_vector_mve(const struct ek_matmul_s8_mve *p, const int8_t *x, int8_t *y, bool ties) {
  const int8_t *w = p->weights;
  const int32_t *scaling = p->scaling;
  const int32_t depth = p->depth;
  struct ek_scaling_mve s;
  s.zero_point = p->zero_point;
  s.low = vdupq_n_s32(p->low);
  s.high = vdupq_n_s32(p->high);
  for (int32_t left = p->outputs; left > 0; left -= 4) {
    int32x4_t sums;
    w = ek_multiply_1x4_mve(&sums, x, w, depth);
    ek_load_scaling_mve(&s, scaling);
    vstrbq_p_s32(y, ek_requantize_mve(&s, sums, ties), vctp32q((uint32_t)left));
    y += 4;
    scaling += 12;
  }
}

EK_SHARED void ek_fully_connected_s8_mve(const struct ek_fully_connected_s8_mve *p, const int8_t *x, int8_t *y) {
  for (int32_t b = 0; b < p->batches; ++b) {
    ek_vector_mve(&p->matmul, x, y, p->matmul.low < p->matmul.zero_point);
    x += p->matmul.depth;
    y += p->matmul.outputs;
  }
}
