/* needs: lstm_sums_s8 lstm_run_s8 */
struct ek_lstm_s8 {
  struct ek_lstm_run_s8 run;
};

EK_KERNEL void ek_lstm_s8(const struct ek_lstm_s8 *p, const int8_t *x, int8_t *y, int8_t *hidden,
                           int16_t *cells) {
  ek_lstm_run_s8(&p->run, x, y, hidden, cells);
}
