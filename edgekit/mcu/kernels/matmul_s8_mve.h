/* needs: scale_mve */
/* A matrix times vectors: four outputs share a load of x, two vectors share a load of weights. */
struct ek_matmul_s8_mve {
  const int8_t *weights;  /* [blocks of 4 outputs][blocks of 16 channels][4][16], zero where there is none */
  const int32_t *scaling; /* [blocks of 4 outputs][3][4]: bias, multiplier, shift */
  int32_t depth, outputs, zero_point, low, high;
};

/* What turns four sums into results. */
struct ek_scaling_mve {
  int32x4_t bias, multiplier, shift, low, high;
  int32_t zero_point;
};

EK_INLINE void ek_load_scaling_mve(struct ek_scaling_mve *s, const int32_t *scaling) {
  s->bias = vldrwq_s32(scaling);
  s->multiplier = vldrwq_s32(scaling + 4);
  s->shift = vldrwq_s32(scaling + 8);
}

EK_INLINE int32x4_t ek_requantize_mve(const struct ek_scaling_mve *s, int32x4_t sums, bool ties) {
  sums = ek_scale_mve(vaddq_s32(sums, s->bias), s->multiplier, s->shift, ties);
  return vminq_s32(vmaxq_s32(vaddq_n_s32(sums, s->zero_point), s->low), s->high);
}

/* One block of 16 channels times two vectors. VMLADAV adds up in even registers: these are all that there are. */
#define EK_MULTIPLY_2X4_MVE(vmladav) \
  "vldrb.8 q0, [%[x0]], #16\n\t" \
  "vldrw.32 q2, [%[w]], #16\n\t" \
  "vldrb.8 q1, [%[x1]], #16\n\t" \
  vmladav " r0, q0, q2\n\t" \
  "vldrw.32 q3, [%[w]], #16\n\t" \
  vmladav " r8, q1, q2\n\t" \
  vmladav " r2, q0, q3\n\t" \
  "vldrw.32 q2, [%[w]], #16\n\t" \
  vmladav " r10, q1, q3\n\t" \
  vmladav " r4, q0, q2\n\t" \
  "vldrw.32 q3, [%[w]], #16\n\t" \
  vmladav " r12, q1, q2\n\t" \
  vmladav " r6, q0, q3\n\t" \
  vmladav " lr, q1, q3\n\t"

/* Sums of four outputs for two vectors of 16 * blocks channels; gives the weights of the next four outputs. */
EK_INLINE const int8_t *ek_multiply_2x4_mve(int32x4_t *sums0, int32x4_t *sums1, const int8_t *x0, const int8_t *x1,
                                            const int8_t *w, int32_t blocks) {
  __asm__ volatile(EK_MULTIPLY_2X4_MVE("vmladav.s8")
                   "subs %[n], %[n], #1\n\t"
                   "beq 2f\n"
                   "1:\n\t" EK_MULTIPLY_2X4_MVE("vmladava.s8")
                   "subs %[n], %[n], #1\n\t"
                   "bne 1b\n"
                   "2: vmov %q[s0][2], %q[s0][0], r0, r4\n\t"
                   "vmov %q[s0][3], %q[s0][1], r2, r6\n\t"
                   "vmov %q[s1][2], %q[s1][0], r8, r12\n\t"
                   "vmov %q[s1][3], %q[s1][1], r10, lr\n\t"
                   : [s0] "=&w"(*sums0), [s1] "=&w"(*sums1), [x0] "+r"(x0), [x1] "+r"(x1), [w] "+r"(w),
                     [n] "+r"(blocks)
                   :
                   : "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "q0", "q1", "q2", "q3", "cc", "memory");
  return w;
}

/* y0[o], y1[o] = requantize(bias[o] + sum_d x0[d] * w[o][d]), the same with x1; x has 16 * ceil(depth / 16) bytes. */
EK_INLINE void ek_matmul_pair_mve(const struct ek_matmul_s8_mve *p, const int8_t *x0, const int8_t *x1, int8_t *y0,
                                  int8_t *y1, bool ties) {
  const int8_t *w = p->weights;
  const int32_t *scaling = p->scaling;
  const int32_t blocks = (p->depth + 15) / 16;
  struct ek_scaling_mve s;
  s.zero_point = p->zero_point;
  s.low = vdupq_n_s32(p->low);
  s.high = vdupq_n_s32(p->high);
  int32x4_t sums0, sums1;
  int32_t left = p->outputs;
  for (; left >= 4; left -= 4) {
    w = ek_multiply_2x4_mve(&sums0, &sums1, x0, x1, w, blocks);
    ek_load_scaling_mve(&s, scaling);
    vstrbq_s32(y0, ek_requantize_mve(&s, sums0, ties));
    vstrbq_s32(y1, ek_requantize_mve(&s, sums1, ties));
    y0 += 4;
    y1 += 4;
    scaling += 12;
  }
  if (left > 0) {
    const mve_pred16_t some = vctp32q((uint32_t)left);
    (void)ek_multiply_2x4_mve(&sums0, &sums1, x0, x1, w, blocks);
    ek_load_scaling_mve(&s, scaling);
    vstrbq_p_s32(y0, ek_requantize_mve(&s, sums0, ties), some);
    vstrbq_p_s32(y1, ek_requantize_mve(&s, sums1, ties), some);
  }
}

EK_SHARED void ek_matmul_tied_mve(const struct ek_matmul_s8_mve *p, const int8_t *x0, const int8_t *x1, int8_t *y0,
                                  int8_t *y1) {
  ek_matmul_pair_mve(p, x0, x1, y0, y1, true);
}

EK_SHARED void ek_matmul_clamped_mve(const struct ek_matmul_s8_mve *p, const int8_t *x0, const int8_t *x1, int8_t *y0,
                                     int8_t *y1) {
  ek_matmul_pair_mve(p, x0, x1, y0, y1, false);
}

EK_INLINE void ek_matmul_s8_mve(const struct ek_matmul_s8_mve *p, const int8_t *x0, const int8_t *x1, int8_t *y0,
                                int8_t *y1) {
  if (p->low < p->zero_point) {
    ek_matmul_tied_mve(p, x0, x1, y0, y1);
  } else {
    ek_matmul_clamped_mve(p, x0, x1, y0, y1);
  }
}
