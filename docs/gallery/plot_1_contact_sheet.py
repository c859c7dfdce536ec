"""
Images under every corruption
=============================

The training data of the paper's experiments: images with wrong labels, with permuted pixels, and
replaced by noise. Wrong labels are bold, with the true label below.
"""

from torch.utils.data import Subset

import corruptlab as cl

train = cl.datasets.fashion_mnist_mini("train")
few = Subset(train, range(0, 80, 10))

corruptions = {
    "partial labels\n(p = 0.5)": cl.UniformLabels(p=0.5),
    "random labels": cl.RandomLabels(),
    "pair flip\n(rate = 0.45)": cl.PairFlipLabels(rate=0.45),
    "shuffled pixels": cl.ShuffledPixels(),
    "random pixels": cl.RandomPixels(),
    "Gaussian": cl.GaussianPixels(),
}
rows = {"as they are": cl.materialize(few)}
for name, corruption in corruptions.items():
    rows[name] = cl.materialize(cl.corrupt(few, corruption, seed=0))
figure = cl.plotting.examples(rows, clean=rows["as they are"][1], classes=train.classes)

# %%
# Shuffled pixels are the same permutation for all images, random pixels another one for each.
# Gaussian images keep the mean and the variance of the data, up to clipping to bytes, and nothing
# else.
#
# A smaller ``p`` changes a subset of the labels that a larger one changes.

rates = (0.1, 0.3, 0.6, 1.0)
nested = {f"p = {p}": cl.materialize(cl.corrupt(few, cl.UniformLabels(p=p), seed=0)) for p in rates}
sheet = cl.plotting.examples(nested, clean=rows["as they are"][1], classes=train.classes)
