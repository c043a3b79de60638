/* needs: lstm_run_s16 */
struct ek_lstm_s16 {
  struct ek_lstm_run_s16 run;
};

EK_KERNEL void ek_lstm_s16(const struct ek_lstm_s16 *p, const int16_t *x, int16_t *y, int16_t *hidden,
                           int16_t *cells) {
  ek_lstm_run_s16(&p->run, x, y, hidden, cells);
}
