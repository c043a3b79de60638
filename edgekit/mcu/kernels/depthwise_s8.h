/* needs: requantize window */
/* Depthwise convolution: output channel c * multiplier + m sees input channel c only. */
struct ek_depthwise_s8 {
  struct ek_window window;
  const int8_t *weights;      /* [kernel_h][kernel_w][channels * multiplier] */
  const int32_t *bias;        /* [channels * multiplier] */
  const int32_t *multipliers; /* [channels * multiplier] */
  const int32_t *shifts;      /* [channels * multiplier] */
  int32_t channels, multiplier, in_zero_point, zero_point, low, high;
  int32_t small; /* 1: what ek_scale_small asks for holds */
};

/* The taps of one channel, `taps_h` rows of `taps_w`; steps are distances between neighbours. */
EK_INLINE int32_t ek_taps_s8(const int8_t *x, int32_t step_h, int32_t step_w, const int8_t *weights, int32_t weights_h,
                             int32_t weights_w, int32_t taps_h, int32_t taps_w, int32_t zero_point) {
  int32_t sum = 0;
  for (int32_t i = 0; i < taps_h; ++i) {
    const int8_t *from = x, *weight = weights;
    for (int32_t j = taps_w; j > 0; --j) {
      sum += (*from - zero_point) * *weight;
      from += step_w;
      weight += weights_w;
    }
    x += step_h;
    weights += weights_h;
  }
  return sum;
}

EK_INLINE int32_t ek_three_taps_s8(const int8_t *x, int32_t step, const int8_t *weights, int32_t weights_w,
                                   int32_t zero_point) {
  return (x[0] - zero_point) * weights[0] + (x[step] - zero_point) * weights[weights_w] +
         (x[2 * step] - zero_point) * weights[2 * weights_w];
}

EK_KERNEL void ek_depthwise_s8(const struct ek_depthwise_s8 *p, const int8_t *x, int8_t *y) {
  const struct ek_window *const w = &p->window;
  const int32_t outputs = p->channels * p->multiplier, zero_point = p->in_zero_point;
  const int32_t step_w = w->dilation_w * p->channels, step_h = w->dilation_h * w->in_w * p->channels;
  const int32_t weights_h = w->kernel_w * outputs;
  for (int32_t b = 0; b < w->batches; ++b) {
    for (int32_t row = 0; row < w->out_h; ++row) {
      const int32_t begin_h = row * w->stride_h - w->pad_h;
      const int32_t top = ek_first_tap(begin_h, w->dilation_h, w->kernel_h);
      const int32_t taps_h = ek_last_tap(begin_h, w->dilation_h, w->kernel_h, w->in_h, top) - top;
      for (int32_t column = 0; column < w->out_w; ++column) {
        const int32_t begin_w = column * w->stride_w - w->pad_w;
        const int32_t left = ek_first_tap(begin_w, w->dilation_w, w->kernel_w);
        const int32_t taps_w = ek_last_tap(begin_w, w->dilation_w, w->kernel_w, w->in_w, left) - left;
        const int32_t first = (begin_h * w->in_w + begin_w) * p->channels + top * step_h + left * step_w;
        const int8_t *from = x + first;
        const int8_t *weights = p->weights + top * weights_h + left * outputs;
        const bool is_three = taps_w == 3;
        for (int32_t o = 0, c = 0; c < p->channels; ++c, ++from) {
          for (int32_t m = 0; m < p->multiplier; ++m, ++o, ++weights) {
            int32_t sum = p->bias[o];
            if (is_three) {
              const int8_t *line = from, *weight = weights;
              for (int32_t i = taps_h; i > 0; --i, line += step_h, weight += weights_h) {
                sum += ek_three_taps_s8(line, step_w, weight, outputs, zero_point);
              }
            } else {
              sum += ek_taps_s8(from, step_h, step_w, weights, weights_h, outputs, taps_h, taps_w, zero_point);
            }
            const int32_t scaled = p->small == 1 ? ek_scale_small(sum, p->multipliers[o], p->shifts[o])
                                                 : ek_scale(sum, p->multipliers[o], p->shifts[o]);
            *y++ = (int8_t)ek_clamp(scaled + p->zero_point, p->low, p->high);
          }
        }
      }
    }
    x += w->in_h * w->in_w * p->channels;
  }
}
