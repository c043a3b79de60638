/* like copy_s8, for int16 */
