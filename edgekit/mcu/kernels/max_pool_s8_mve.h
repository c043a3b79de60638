/* needs: window */
#include <arm_mve.h>

/* As max_pool_s8, sixteen channels at a time. */
struct ek_max_pool_s8_mve {
  struct ek_window window;
  int32_t channels, low, high;
};

EK_KERNEL void ek_max_pool_s8_mve(const struct ek_max_pool_s8_mve *p, const int8_t *x, int8_t *y) {
  const struct ek_window *const w = &p->window;
  const int32_t pixel = p->channels, pitch = w->in_w * pixel;
  const int8x16_t low = vdupq_n_s8((int8_t)p->low), high = vdupq_n_s8((int8_t)p->high);
  for (int32_t b = 0; b < w->batches; ++b) {
    for (int32_t row = 0; row < w->out_h; ++row) {
      const int32_t begin_h = row * w->stride_h - w->pad_h;
      const int32_t top = ek_first_tap(begin_h, 1, w->kernel_h);
      const int32_t bottom = ek_last_tap(begin_h, 1, w->kernel_h, w->in_h, top);
      for (int32_t column = 0; column < w->out_w; ++column) {
        const int32_t begin_w = column * w->stride_w - w->pad_w;
        const int32_t left = ek_first_tap(begin_w, 1, w->kernel_w);
        const int32_t right = ek_last_tap(begin_w, 1, w->kernel_w, w->in_w, left);
        for (int32_t c = 0; c < pixel; c += 16) {
          const mve_pred16_t some = vctp8q((uint32_t)(pixel - c));
          const int8_t *line = x + (begin_h + top) * pitch + (begin_w + left) * pixel + c;
          int8x16_t largest = low;
          for (int32_t i = top; i < bottom; ++i, line += pitch) {
            const int8_t *from = line;
            for (int32_t j = left; j < right; ++j, from += pixel) {
              largest = vmaxq_s8(largest, vldrbq_z_s8(from, some));
            }
          }
          vstrbq_p_s8(y + c, vminq_s8(largest, high), some);
        }
        y += pixel;
      }
    }
    x += w->in_h * pitch;
  }
}
