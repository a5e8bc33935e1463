from experiments.compare import compare as compare
from experiments.decompose import decompose as decompose
