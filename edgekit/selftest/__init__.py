"""The promises that edgekit makes about devices, each with the experiment that proves it."""
