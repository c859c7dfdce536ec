"""
Memorization
============

Images with random labels are planted in the training set, and others are held out. A network can
predict a planted label by chance, one time in ten, or because it has memorized the image.
"""

from torch.utils.data import Subset

import corruptlab as cl

recipe = cl.Recipe(learning_rate=0.01, decay=0.99, epochs=40, batch_size=32)


def training(dataset, epoch_end):
    network = cl.mlp(128, input_shape=(1, 28, 28))
    cl.fit(network, dataset, recipe=recipe, stop=(epoch_end.rule(network),))
    return network


train = Subset(cl.datasets.fashion_mnist_mini("train"), range(800))
report = cl.memorization_report(training, train, canaries=100)
figure = report.plot()

# %%
# First the network learns: the clean images rise, the canaries stay at chance. Then it memorizes
# the planted canaries, and only these. :doc:`/memorization` does the same in a training loop of
# your own.

print(report.gap)
