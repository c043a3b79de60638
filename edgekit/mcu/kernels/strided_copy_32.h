/* like strided_copy_8, for 32 bits */
