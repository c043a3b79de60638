/* needs: dense_s8 patch_s8 */
/* Transposed convolution as stride_h * stride_w convolutions: an output pixel meets every stride-th tap only. */
struct ek_transpose_conv_s8 {
  struct ek_dense_s8 dense; /* weights of phase after phase: [outputs][taps down][taps right][channels], taps reversed */
  const int32_t *starts;    /* [stride_h * stride_w]: where the weights of a phase begin; bias [phase][outputs] */
  int32_t batches, in_h, in_w, out_h, out_w, channels, outputs;
  int32_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, padding;
};

EK_KERNEL void ek_transpose_conv_s8(const struct ek_transpose_conv_s8 *p, const int8_t *x, int8_t *y, void *scratch) {
  int8_t *const patch = (int8_t *)scratch;
  struct ek_dense_s8 dense = p->dense;
  struct ek_window window;
  window.in_h = p->in_h;
  window.in_w = p->in_w;
  window.dilation_h = 1;
  window.dilation_w = 1;
  for (int32_t b = 0; b < p->batches; ++b) {
    for (int32_t row = p->pad_h; row < p->out_h + p->pad_h; ++row) {
      const int32_t phase_h = row % p->stride_h;
      window.kernel_h = (p->kernel_h - phase_h + p->stride_h - 1) / p->stride_h;
      for (int32_t column = p->pad_w; column < p->out_w + p->pad_w; ++column) {
        const int32_t phase_w = column % p->stride_w, phase = phase_h * p->stride_w + phase_w;
        window.kernel_w = (p->kernel_w - phase_w + p->stride_w - 1) / p->stride_w;
        dense.weights = p->dense.weights + p->starts[phase];
        dense.bias = p->dense.bias + phase * p->outputs;
        dense.depth = window.kernel_h * window.kernel_w * p->channels;
        ek_patch_s8(&window, x, p->channels, p->channels, row / p->stride_h - window.kernel_h + 1,
                    column / p->stride_w - window.kernel_w + 1, p->padding, patch);
        ek_dense_s8(&dense, patch, y, 0, p->outputs);
        y += p->outputs;
      }
    }
    x += p->in_h * p->in_w * p->channels;
  }
}
