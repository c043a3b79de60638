/* like average_pool_s8, for int16 */
