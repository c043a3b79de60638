/* needs: requantize window */
/* Depthwise convolution: output channel c * multiplier + m sees input channel c only. */
struct ek_depthwise_s8 {
  struct ek_window window;
  const int8_t *weights;      /* [kernel_h][kernel_w][channels * multiplier] */
  const int32_t *bias;        /* [channels * multiplier] */
  const int32_t *multipliers; /* [channels * multiplier] */
  const int32_t *shifts;      /* [channels * multiplier] */
  int32_t channels, multiplier, in_zero_point, zero_point, low, high;
};

EK_KERNEL void ek_depthwise_s8(const struct ek_depthwise_s8 *p, const int8_t *x, int8_t *y) {
  const struct ek_window *const w = &p->window;
  const int32_t outputs = p->channels * p->multiplier;
  const int32_t step_w = w->dilation_w * p->channels, step_h = w->dilation_h * w->in_w * p->channels;
  for (int32_t b = 0; b < w->batches; ++b) {
    for (int32_t row = 0; row < w->out_h; ++row) {
      const int32_t begin_h = row * w->stride_h - w->pad_h;
      const int32_t top = ek_first_tap(begin_h, w->dilation_h, w->kernel_h);
      const int32_t bottom = ek_last_tap(begin_h, w->dilation_h, w->kernel_h, w->in_h, top);
      for (int32_t column = 0; column < w->out_w; ++column) {
        const int32_t begin_w = column * w->stride_w - w->pad_w;
        const int32_t left = ek_first_tap(begin_w, w->dilation_w, w->kernel_w);
        const int32_t right = ek_last_tap(begin_w, w->dilation_w, w->kernel_w, w->in_w, left);
        const int32_t first = (begin_h * w->in_w + begin_w) * p->channels + top * step_h + left * step_w;
        for (int32_t o = 0, c = 0; c < p->channels; ++c) {
          for (int32_t m = 0; m < p->multiplier; ++m, ++o) {
            int32_t sum = p->bias[o], from = first + c;
            const int8_t *weight = p->weights + (top * w->kernel_w + left) * outputs + o;
            for (int32_t i = top; i < bottom; ++i) {
              for (int32_t j = 0; j < right - left; ++j) {
                sum += (x[from + j * step_w] - p->in_zero_point) * weight[j * outputs];
              }
              from += step_h;
              weight += w->kernel_w * outputs;
            }
            *y++ = (int8_t)ek_clamp(ek_scale(sum, p->multipliers[o], p->shifts[o]) + p->zero_point, p->low, p->high);
          }
        }
      }
    }
    x += w->in_h * w->in_w * p->channels;
  }
}
