/* needs: dense_s8 patch_s8 */
/* Convolution of [batches][in_h][in_w][channels] in groups; each window is gathered into scratch first. */
struct ek_conv_s8 {
  struct ek_window window;
  struct ek_dense_s8 dense; /* weights [outputs][kernel_h][kernel_w][group_channels] */
  int32_t channels, outputs, group_channels, group_outputs, padding;
};

EK_KERNEL void ek_conv_s8(const struct ek_conv_s8 *p, const int8_t *x, int8_t *y, void *scratch) {
  const struct ek_window *const w = &p->window;
  int8_t *const patch = (int8_t *)scratch;
  for (int32_t b = 0; b < w->batches; ++b) {
    for (int32_t row = 0; row < w->out_h; ++row) {
      const int32_t begin_h = row * w->stride_h - w->pad_h;
      for (int32_t column = 0; column < w->out_w; ++column) {
        const int32_t begin_w = column * w->stride_w - w->pad_w;
        int32_t channel = 0;
        for (int32_t o = 0; o < p->outputs; o += p->group_outputs) {
          ek_patch_s8(w, x + channel, p->channels, p->group_channels, begin_h, begin_w, p->padding, patch);
          ek_dense_s8(&p->dense, patch, y, o, o + p->group_outputs);
          y += p->group_outputs;
          channel += p->group_channels;
        }
      }
    }
    x += w->in_h * w->in_w * p->channels;
  }
}
