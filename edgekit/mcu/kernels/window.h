/* A window that slides over images. */
struct ek_window {
  int32_t in_h, in_w, out_h, out_w, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  int32_t pad_h, pad_w, batches;
};

/* First tap of a window beginning at `begin` that does not lie before the image; at most `taps`. */
EK_INLINE int32_t ek_first_tap(int32_t begin, int32_t dilation, int32_t taps) {
  const int32_t before = begin >= 0 ? 0 : (dilation == 1 ? -begin : (dilation - 1 - begin) / dilation);
  return before < taps ? before : taps;
}

/* One past the last tap that does not lie behind an image of `size`; not below `first`. */
EK_INLINE int32_t ek_last_tap(int32_t begin, int32_t dilation, int32_t taps, int32_t size, int32_t first) {
  const int32_t left = size - begin;
  const int32_t inside = left <= 0 ? 0 : (dilation == 1 ? left : (left + dilation - 1) / dilation);
  const int32_t end = inside < taps ? inside : taps;
  return end > first ? end : first;
}
