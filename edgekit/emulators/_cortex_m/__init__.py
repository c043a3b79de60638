"""Emulated microcontroller boards: QEMU's machines with our instruction counter; Unicorn where there is no QEMU."""
