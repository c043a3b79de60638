/* like fully_connected_s8, for int16 */
