/* like pick_s8, for int16 */
