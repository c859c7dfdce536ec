"""
Permutation test
================

The same training on true labels and on permuted labels. With true labels the network is more
accurate on new images than with any permutation, so the p-value is the smallest that 59
permutations allow.
"""

from torch.utils.data import Subset

import corruptlab as cl

train, test = cl.datasets.load("fashion-mnist-mini")
found = cl.permutation_test(
    cl.mlp(32, input_shape=(1, 28, 28)),
    Subset(train, range(0, 4000, 40)),
    test,
    recipe=cl.Recipe(learning_rate=0.05, decay=1.0, epochs=15, batch_size=20),
    permutations=59,
)
figure = found.plot()

# %%
# See :doc:`/permutation` for what the number means, and what it does not.

print(f"p = {found.p_value:.4f}, accuracy {found.observed:.1%} on {len(test)} new images")
