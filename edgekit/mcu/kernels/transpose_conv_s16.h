/* like transpose_conv_s8, for int16 */
