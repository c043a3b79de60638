"""What is sent to a device: files, and the manifest that names each of them by its digest."""
