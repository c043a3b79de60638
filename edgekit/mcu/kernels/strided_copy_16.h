/* like strided_copy_8, for 16 bits */
