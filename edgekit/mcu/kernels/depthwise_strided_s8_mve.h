/* needs: copy_mve depthwise_mve window */
/* Depthwise convolution by windows of up to 4 x 4 with any stride. A block of columns of four rows comes into scratch,
   then each channel has four outputs of a row at a time. */
struct ek_depthwise_strided_s8_mve {
  struct ek_window window;
  struct ek_depthwise_mve depthwise; /* weights [channels][4][4] */
  int32_t block;                     /* outputs of a row that are computed from scratch at once */
};

/* The rows that windows see; a step of 0 repeats 16 bytes of padding. */
struct ek_rows_mve {
  const int8_t *from[4];
  int32_t step[4];
};

EK_INLINE void ek_strip_1x4_mve(const struct ek_depthwise_strided_s8_mve *p, const int8_t *kept, int8_t *y,
                                int32_t outputs, bool is_plain) {
  const struct ek_depthwise_mve *const d = &p->depthwise;
  const int32_t channels = d->channels, step = 4 * p->window.stride_w * channels;
  const uint32x4_t lanes = vidupq_n_u32(0, 1), columns = vmulq_n_u32(lanes, 4U * (uint32_t)channels);
  const uint32x4_t places = vmulq_n_u32(lanes, (uint32_t)channels);
  const int8_t *weights = d->weights;
  const int32_t *scaling = d->scaling;
  struct ek_factors_mve f = {0, 0, 0, d->zero_point, d->low, d->high};
  for (int32_t c = 0; c < channels; ++c) {
    const int8x16_t w = vreinterpretq_s8_u32(ek_weights_mve(weights));
    const int8_t *from = kept;
    int8_t *to = y;
    int32_t left = outputs;
    f.bias = scaling[0];
    f.multiplier = scaling[1];
    f.shift = scaling[2];
    for (; left >= 4; left -= 4) {
      const int32x4_t sums = {
          vmladavq_s8(ek_words_mve(from, columns), w), vmladavq_s8(ek_words_mve(from + step, columns), w),
          vmladavq_s8(ek_words_mve(from + 2 * step, columns), w),
          vmladavq_s8(ek_words_mve(from + 3 * step, columns), w)};
      vstrbq_scatter_offset_s32(to, places, ek_results_mve(sums, f, is_plain));
      from += 4 * step;
      to += 4 * channels;
    }
    if (left > 0) {
      const int32_t second = left > 1 ? step : 0, third = left > 2 ? 2 * step : 0;
      const int32x4_t sums = {vmladavq_s8(ek_words_mve(from, columns), w),
                              vmladavq_s8(ek_words_mve(from + second, columns), w),
                              vmladavq_s8(ek_words_mve(from + third, columns), w), 0};
      vstrbq_scatter_offset_p_s32(to, places, ek_results_mve(sums, f, is_plain), vctp32q((uint32_t)left));
    }
    kept += 4;
    y += 1;
    weights += 16;
    scaling += 3;
  }
}

EK_SHARED void ek_strip_1x4_plain_mve(const struct ek_depthwise_strided_s8_mve *p, const int8_t *kept, int8_t *y,
                                      int32_t outputs) {
  ek_strip_1x4_mve(p, kept, y, outputs, true);
}

EK_SHARED void ek_strip_1x4_limited_mve(const struct ek_depthwise_strided_s8_mve *p, const int8_t *kept, int8_t *y,
                                        int32_t outputs) {
  ek_strip_1x4_mve(p, kept, y, outputs, false);
}

/* `items` of four rows, from byte `begin` of each, to [items][4]. */
EK_SHARED void ek_weave_mve(int8_t *to, const struct ek_rows_mve *rows, int32_t begin, int32_t items) {
  const int32_t step0 = rows->step[0], step1 = rows->step[1], step2 = rows->step[2], step3 = rows->step[3];
  const int8_t *a = rows->from[0] + (step0 != 0 ? begin : 0), *b = rows->from[1] + (step1 != 0 ? begin : 0);
  const int8_t *c = rows->from[2] + (step2 != 0 ? begin : 0), *d = rows->from[3] + (step3 != 0 ? begin : 0);
  for (; items >= 16; items -= 16) {
    const int8x16x4_t four = {{vldrbq_s8(a), vldrbq_s8(b), vldrbq_s8(c), vldrbq_s8(d)}};
    vst4q_s8(to, four);
    to += 64;
    a += step0;
    b += step1;
    c += step2;
    d += step3;
  }
  for (int32_t i = 0; i < items; ++i) {
    to[0] = a[i];
    to[1] = b[i];
    to[2] = c[i];
    to[3] = d[i];
    to += 4;
  }
}

/* Columns [begin, begin + columns) of the image's rows, with padding where there are none. */
EK_INLINE void ek_keep_block_mve(const struct ek_depthwise_strided_s8_mve *p, const struct ek_rows_mve *rows,
                                 int8_t *kept, int32_t begin, int32_t columns) {
  const int32_t channels = p->depthwise.channels, word = 4 * channels, in_w = p->window.in_w;
  const int32_t left = begin >= 0 ? 0 : (-begin < columns ? -begin : columns);
  const int32_t inside = in_w - begin < columns ? in_w - begin : columns;
  const int32_t right = inside > left ? inside : left;
  ek_fill_mve(kept, left * word, p->depthwise.padding);
  ek_weave_mve(kept + left * word, rows, (begin + left) * channels, (right - left) * channels);
  ek_fill_mve(kept + right * word, (columns - right) * word, p->depthwise.padding);
}

EK_KERNEL void ek_depthwise_strided_s8_mve(const struct ek_depthwise_strided_s8_mve *p, const int8_t *x, int8_t *y,
                                           void *scratch) {
  const struct ek_window *const w = &p->window;
  const int32_t channels = p->depthwise.channels, pitch = w->in_w * channels;
  int8_t *const kept = (int8_t *)scratch;
  int8_t padding[16];
  ek_fill_mve(padding, 16, p->depthwise.padding);
  for (int32_t b = 0; b < w->batches; ++b) {
    for (int32_t row = 0; row < w->out_h; ++row) {
      struct ek_rows_mve rows;
      for (int32_t i = 0; i < 4; ++i) {
        const int32_t from = row * w->stride_h - w->pad_h + i;
        const bool is_inside = from >= 0 && from < w->in_h;
        rows.from[i] = is_inside ? x + from * pitch : padding;
        rows.step[i] = is_inside ? 16 : 0;
      }
      for (int32_t column = 0; column < w->out_w; column += p->block) {
        const int32_t left = w->out_w - column, outputs = left < p->block ? left : p->block;
        ek_keep_block_mve(p, &rows, kept, column * w->stride_w - w->pad_w, (outputs - 1) * w->stride_w + 4);
        if (ek_is_plain_mve(&p->depthwise)) {
          ek_strip_1x4_plain_mve(p, kept, y, outputs);
        } else {
          ek_strip_1x4_limited_mve(p, kept, y, outputs);
        }
        y += outputs * channels;
      }
    }
    x += w->in_h * pitch;
  }
}
