/* needs: requantize window */
#include <arm_mve.h>

/* As average_pool_s8, four channels at a time. */
struct ek_average_pool_s8_mve {
  struct ek_window window;
  int32_t channels, low, high;
};

/* The means of up to four channels of rows x columns pixels, halves away from zero. */
EK_INLINE void ek_means_mve(const int8_t *x, int8_t *y, int32_t rows, int32_t columns, int32_t pitch, int32_t pixel,
                            int32_t channels, int32_t low, int32_t high) {
  const mve_pred16_t some = vctp32q((uint32_t)channels);
  const int32_t count = rows * columns;
  int32x4_t sums = vdupq_n_s32(0);
  for (int32_t i = 0; i < rows; ++i) {
    const int8_t *from = x + i * pitch;
    for (int32_t j = 0; j < columns; ++j) {
      sums = vaddq_s32(sums, vldrbq_z_s32(from, some));
      from += pixel;
    }
  }
  int32_t values[4];
  vstrwq_s32(values, sums);
  for (int32_t c = 0; c < 4 && c < channels; ++c) {
    const int32_t sum = values[c] + (values[c] > 0 ? count / 2 : -(count / 2));
    y[c] = (int8_t)ek_clamp(sum / count, low, high);
  }
}

EK_KERNEL void ek_average_pool_s8_mve(const struct ek_average_pool_s8_mve *p, const int8_t *x, int8_t *y) {
  const struct ek_window *const w = &p->window;
  const int32_t pixel = p->channels, pitch = w->in_w * pixel;
  for (int32_t b = 0; b < w->batches; ++b) {
    for (int32_t row = 0; row < w->out_h; ++row) {
      const int32_t begin_h = row * w->stride_h - w->pad_h;
      const int32_t top = ek_first_tap(begin_h, 1, w->kernel_h);
      const int32_t bottom = ek_last_tap(begin_h, 1, w->kernel_h, w->in_h, top);
      for (int32_t column = 0; column < w->out_w; ++column) {
        const int32_t begin_w = column * w->stride_w - w->pad_w;
        const int32_t left = ek_first_tap(begin_w, 1, w->kernel_w);
        const int32_t right = ek_last_tap(begin_w, 1, w->kernel_w, w->in_w, left);
        const int8_t *const from = x + (begin_h + top) * pitch + (begin_w + left) * pixel;
        for (int32_t c = 0; c < pixel; c += 4) {
          ek_means_mve(from + c, y + c, bottom - top, right - left, pitch, pixel, pixel - c, p->low, p->high);
        }
        y += pixel;
      }
    }
    x += w->in_h * pitch;
  }
}
