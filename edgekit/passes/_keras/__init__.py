"""The child's side of the training passes: tf_keras models, tensorflow-model-optimization and our own surgery."""
