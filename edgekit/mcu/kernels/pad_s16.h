/* like pad_s8, for int16 */
