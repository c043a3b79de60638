"""The ahead-of-time compiler: a quantized .tflite becomes one freestanding C99 library with a static memory plan."""
