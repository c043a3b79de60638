/* like patch_s8, for int16 */
