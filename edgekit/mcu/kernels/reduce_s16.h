/* like reduce_s8, for int16 */
