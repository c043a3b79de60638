"""Child side of the GPU check: LiteRT's GPU accelerator, run on a Vulkan device."""
