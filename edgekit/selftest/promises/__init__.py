"""One promise a file: its words, the cases that it takes, and the experiment."""
