/* needs: scale_mve */
/* What depthwise convolutions share. Scratch keeps four rows of the image as [columns][channels][4 rows]: one gather of
   four words has all that a window of up to 4 x 4 sees, and one VMLADAV with the channel's weights adds it up. */
struct ek_depthwise_mve {
  const int8_t *weights;  /* [channels][columns][4 rows] */
  const int32_t *scaling; /* [channels][3]: bias, multiplier, shift */
  int32_t channels, zero_point, low, high;
  int32_t padding; /* the value round the image */
};

/* What turns the sums of one channel into results. */
struct ek_factors_mve {
  int32_t bias, multiplier, shift, zero_point, low, high;
};

/* Limits of -128 and 127 round a zero point of -128: how numbers below zero are rounded makes no difference. */
EK_INLINE bool ek_is_plain_mve(const struct ek_depthwise_mve *p) {
  return p->zero_point == -128 && p->low == -128 && p->high == 127;
}

EK_INLINE int32x4_t ek_results_mve(int32x4_t sums, struct ek_factors_mve f, bool is_plain) {
  sums = vaddq_n_s32(ek_scale_all_mve(vaddq_n_s32(sums, f.bias), f.multiplier, f.shift, !is_plain), f.zero_point);
  if (is_plain) {
    const int16x8_t halves = vqmovnbq_s32(vreinterpretq_s16_s32(sums), sums);
    return vreinterpretq_s32_s8(vqmovnbq_s16(vreinterpretq_s8_s16(halves), halves));
  }
  return vminq_s32(vmaxq_s32(sums, vdupq_n_s32(f.low)), vdupq_n_s32(f.high));
}

EK_INLINE int8x16_t ek_words_mve(const int8_t *from, uint32x4_t offsets) {
  return vreinterpretq_s8_u32(vldrwq_gather_offset_u32((const uint32_t *)(const void *)from, offsets));
}

EK_INLINE uint32x4_t ek_weights_mve(const int8_t *weights) {
  return vldrwq_u32((const uint32_t *)(const void *)weights);
}
