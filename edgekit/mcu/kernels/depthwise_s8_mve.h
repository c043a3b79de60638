/* needs: copy_mve depthwise_mve window */
/* Depthwise convolution by windows of up to 3 x 3 with stride 1, two rows and two columns of outputs at a time, which
   see 4 x 4 bytes together. The rows in scratch move on by two, so that the output may lie over the input. */
struct ek_depthwise_s8_mve {
  struct ek_window window;
  struct ek_depthwise_mve depthwise; /* weights [channels][4][4], the window in columns 1 to 3; then 4 zeros */
  int32_t group;                     /* channels that are in scratch at once */
  int32_t columns;                   /* in scratch, with the padding */
};

/* Two rows of outputs of some channels. */
struct ek_strip_mve {
  const int8_t *kept; /* [columns][group][4], at the first channel */
  int8_t *y;          /* the first output of the first channel */
  int32_t first, channels;
  bool is_pair;
};

EK_INLINE void ek_strip_2x2_mve(const struct ek_depthwise_s8_mve *p, const struct ek_strip_mve *s, bool is_plain) {
  const struct ek_depthwise_mve *const d = &p->depthwise;
  const int32_t word = 4 * p->group, pixel = d->channels, out_w = p->window.out_w, channels = s->channels;
  const int32_t row = s->is_pair ? pixel * out_w : 0, down = s->is_pair ? 8 : 0; /* a last row is computed twice */
  const uint32x4_t columns = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)word);
  const uint32x4_t places = {0, (uint32_t)pixel, (uint32_t)row, (uint32_t)(row + pixel)};
  const int8_t *weights = d->weights + 16 * s->first, *kept = s->kept;
  const int32_t *scaling = d->scaling + 3 * s->first;
  struct ek_factors_mve f = {0, 0, 0, d->zero_point, d->low, d->high};
  int8_t *y = s->y;
  for (int32_t c = 0; c < channels; ++c) {
    const uint32x4_t left = ek_weights_mve(weights + 4), right = ek_weights_mve(weights);
    const int8x16_t w00 = vreinterpretq_s8_u32(left), w01 = vreinterpretq_s8_u32(right);
    const int8x16_t w10 = vreinterpretq_s8_u32(vshlq_r_u32(left, down));
    const int8x16_t w11 = vreinterpretq_s8_u32(vshlq_r_u32(right, down));
    const int8_t *from = kept;
    int8_t *to = y;
    f.bias = scaling[0];
    f.multiplier = scaling[1];
    f.shift = scaling[2];
    for (int32_t i = out_w / 2; i > 0; --i) {
      const int8x16_t x = ek_words_mve(from, columns);
      const int32x4_t sums = {vmladavq_s8(x, w00), vmladavq_s8(x, w01), vmladavq_s8(x, w10), vmladavq_s8(x, w11)};
      vstrbq_scatter_offset_s32(to, places, ek_results_mve(sums, f, is_plain));
      from += 2 * word;
      to += 2 * pixel;
    }
    if (out_w % 2 != 0) {
      const int8x16_t x = ek_words_mve(from, columns);
      const int32x4_t sums = {vmladavq_s8(x, w00), vmladavq_s8(x, w10), 0, 0};
      const int32x4_t results = ek_results_mve(sums, f, is_plain);
      to[0] = (int8_t)vgetq_lane_s32(results, 0);
      to[row] = (int8_t)vgetq_lane_s32(results, 1);
    }
    kept += 4;
    y += 1;
    weights += 16;
    scaling += 3;
  }
}

EK_SHARED void ek_strip_2x2_plain_mve(const struct ek_depthwise_s8_mve *p, const struct ek_strip_mve *s) {
  ek_strip_2x2_mve(p, s, true);
}

EK_SHARED void ek_strip_2x2_limited_mve(const struct ek_depthwise_s8_mve *p, const struct ek_strip_mve *s) {
  ek_strip_2x2_mve(p, s, false);
}

/* The rows in scratch move up by two, for `items` of [4]; a and b have the new ones, a step of 0 repeats 16 bytes. */
EK_SHARED void ek_keep_run_mve(int8_t *kept, const int8_t *a, const int8_t *b, int32_t a_step, int32_t b_step,
                               int32_t items) {
  const int32_t blocks = items / 16;
  if (blocks > 0) {
    __asm__ volatile("dls lr, %[n]\n"
                     "1: vld40.8 {q0, q1, q2, q3}, [%[to]]\n\t"
                     "vld41.8 {q0, q1, q2, q3}, [%[to]]\n\t"
                     "vld42.8 {q0, q1, q2, q3}, [%[to]]\n\t"
                     "vld43.8 {q0, q1, q2, q3}, [%[to]]\n\t"
                     "vldrb.8 q4, [%[a]]\n\t"
                     "vldrb.8 q5, [%[b]]\n\t"
                     "add %[a], %[a], %[a_step]\n\t"
                     "add %[b], %[b], %[b_step]\n\t"
                     "vst40.8 {q2, q3, q4, q5}, [%[to]]\n\t"
                     "vst41.8 {q2, q3, q4, q5}, [%[to]]\n\t"
                     "vst42.8 {q2, q3, q4, q5}, [%[to]]\n\t"
                     "vst43.8 {q2, q3, q4, q5}, [%[to]]!\n\t"
                     "le lr, 1b\n\t"
                     : [to] "+r"(kept), [a] "+r"(a), [b] "+r"(b)
                     : [n] "r"(blocks), [a_step] "r"(a_step), [b_step] "r"(b_step)
                     : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "memory");
  }
  for (int32_t left = items % 16; left > 0; --left) {
    kept[0] = kept[2];
    kept[1] = kept[3];
    kept[2] = *a;
    kept[3] = *b;
    kept += 4;
    a += a_step != 0 ? 1 : 0;
    b += b_step != 0 ? 1 : 0;
  }
}

/* Rows `row` and `row + 1` of the image come into scratch. */
EK_SHARED void ek_keep_rows_mve(const struct ek_depthwise_s8_mve *p, const int8_t *x, const int8_t *padding,
                                int8_t *kept, int32_t row, int32_t channels) {
  const struct ek_window *const w = &p->window;
  const int32_t pixel = p->depthwise.channels, pitch = w->in_w * pixel, room = p->columns - w->pad_w;
  const int32_t columns = w->in_w < room ? w->in_w : room;
  const bool has_a = row >= 0 && row < w->in_h, has_b = row >= -1 && row + 1 < w->in_h;
  const int8_t *a = has_a ? x + row * pitch : padding, *b = has_b ? x + (row + 1) * pitch : padding;
  const int32_t a_step = has_a ? 16 : 0, b_step = has_b ? 16 : 0;
  kept += 4 * w->pad_w * p->group;
  if (channels == pixel) {
    ek_keep_run_mve(kept, a, b, a_step, b_step, columns * channels);
    return;
  }
  for (int32_t column = 0; column < columns; ++column) {
    ek_keep_run_mve(kept, a, b, a_step, b_step, channels);
    kept += 4 * p->group;
    a += has_a ? pixel : 0;
    b += has_b ? pixel : 0;
  }
}

EK_KERNEL void ek_depthwise_s8_mve(const struct ek_depthwise_s8_mve *p, const int8_t *x, int8_t *y, void *scratch) {
  const struct ek_window *const w = &p->window;
  const int32_t pixel = p->depthwise.channels, row_bytes = w->out_w * pixel;
  int8_t *const kept = (int8_t *)scratch;
  int8_t padding[16];
  ek_fill_mve(padding, 16, p->depthwise.padding);
  for (int32_t b = 0; b < w->batches; ++b) {
    struct ek_strip_mve s;
    s.kept = kept;
    for (s.first = 0; s.first < pixel; s.first += p->group) {
      const int8_t *const from = x + s.first;
      const int32_t left = pixel - s.first;
      s.channels = left < p->group ? left : p->group;
      ek_fill_mve(kept, 4 * p->columns * p->group, p->depthwise.padding);
      ek_keep_rows_mve(p, from, padding, kept, -w->pad_h, s.channels);
      for (int32_t row = 0; row < w->out_h; row += 2) {
        ek_keep_rows_mve(p, from, padding, kept, row - w->pad_h + 2, s.channels);
        s.y = y + row * row_bytes + s.first;
        s.is_pair = row + 1 < w->out_h;
        if (ek_is_plain_mve(&p->depthwise)) {
          ek_strip_2x2_plain_mve(p, &s);
        } else {
          ek_strip_2x2_limited_mve(p, &s);
        }
      }
    }
    x += w->in_h * w->in_w * pixel;
    y += w->out_h * row_bytes;
  }
}
