"""
Randomization test
==================

One network and one recipe on 400 images, with true labels, with random labels, and with shuffled
pixels. The network fits all of them.
"""

from torch.utils.data import Subset

import corruptlab as cl

train, test = cl.datasets.load("fashion-mnist-mini")
report = cl.randomization_test(
    cl.mlp(128, input_shape=(1, 28, 28)),
    Subset(train, range(400)),
    test,
    recipe=cl.Recipe(learning_rate=0.03, decay=0.99, epochs=100, batch_size=25),
    settings=["true", "random-labels", "shuffled-pixels"],
    model_name="mlp-1x128",
    data_name="400 images of Fashion-MNIST",
)
figure = report.plot()

# %%
# Training accuracy refers to the corrupted labels, test accuracy to clean labels. On random labels
# it is at chance. To a fully connected network shuffled pixels are as good as the images.

print(report)
