"""
Rademacher complexity
=====================

The Rademacher complexity of linear functions with bounded weights on the first n images. It falls
as one over the square root of n: on more images such functions correlate less with random signs. A
network that fits random labels has complexity 1 at the same n.
"""

from matplotlib.figure import Figure

import corruptlab as cl
from corruptlab.capacity import rademacher

pixels = cl.datasets.fashion_mnist_mini("train").images / 255
sizes = (10, 30, 100, 300, 1000, 4000)
found = [rademacher.linear(pixels[:n], radius=1.0) for n in sizes]

figure = Figure(figsize=(8, 4), layout="constrained")
axes = figure.subplots()
axes.fill_between(
    sizes,
    [each.lower_bound.value for each in found],
    [each.upper_bound.value for each in found],
    color="#D4E6F1",
    linewidth=0,
    label="between its bounds",
)
axes.errorbar(
    sizes,
    [each.value for each in found],
    yerr=[each.t_interval[1] - each.value for each in found],
    color="#0072B2",
    marker="o",
    capsize=5,
    label="mean of 100 draws, 95% t-interval",
)
axes.set_xscale("log")
axes.set_yscale("log")
axes.set_xlabel("number of images n")
axes.set_ylabel("Rademacher complexity")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False)

# %%
# The bounds need no draws; the mean of draws comes with its interval.

print(found[-1])
