/* needs: requantize window */
struct ek_average_pool_s8 {
  struct ek_window window;
  int32_t channels, low, high;
};

/* The mean of the taps inside the image, halves away from zero. */
EK_KERNEL void ek_average_pool_s8(const struct ek_average_pool_s8 *p, const int8_t *x, int8_t *y) {
  const struct ek_window *const w = &p->window;
  const int32_t pitch = w->in_w * p->channels;
  for (int32_t b = 0; b < w->batches; ++b) {
    for (int32_t row = 0; row < w->out_h; ++row) {
      const int32_t begin_h = row * w->stride_h - w->pad_h;
      const int32_t top = ek_first_tap(begin_h, 1, w->kernel_h);
      const int32_t bottom = ek_last_tap(begin_h, 1, w->kernel_h, w->in_h, top);
      for (int32_t column = 0; column < w->out_w; ++column) {
        const int32_t begin_w = column * w->stride_w - w->pad_w;
        const int32_t left = ek_first_tap(begin_w, 1, w->kernel_w);
        const int32_t right = ek_last_tap(begin_w, 1, w->kernel_w, w->in_w, left);
        const int32_t count = (bottom - top) * (right - left);
        for (int32_t c = 0; c < p->channels; ++c) {
          const int8_t *line = x + (begin_h + top) * pitch + (begin_w + left) * p->channels + c;
          int32_t sum = 0;
          for (int32_t i = top; i < bottom; ++i, line += pitch) {
            const int8_t *from = line;
            for (int32_t j = left; j < right; ++j, from += p->channels) {
              sum += *from;
            }
          }
          sum += sum > 0 ? count / 2 : -(count / 2);
          *y++ = (int8_t)ek_clamp(sum / count, p->low, p->high);
        }
      }
    }
    x += w->in_h * pitch;
  }
}
