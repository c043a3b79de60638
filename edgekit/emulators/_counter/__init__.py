"""Counting the instructions of programs that run under qemu-user."""
