from experiments.compare import compare as compare
