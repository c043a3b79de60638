/* like conv_s8, for int16 */
