"""
Theorem 1
=========

A two-layer ReLU network through any points, without training. The points are projected onto a
line, a hinge starts before each of them, and each hinge bends the function to the next point.
"""

import numpy as np
import torch
from matplotlib.figure import Figure

import corruptlab as cl

rng = np.random.default_rng(0)
x = rng.standard_normal((10, 2))  # ten points in the plane
y = rng.choice([-1.0, 1.0], 10)  # with random labels
net = cl.interpolate(x, y)

# %%
# Along the direction ``a`` the network is piecewise linear. Its hinges ``b`` are the triangles.

z = net.project(torch.from_numpy(x)).numpy()
line = np.sort(np.concatenate([net.b.numpy(), z, [z.max() + 0.3, net.b.numpy().min() - 0.3]]))

figure = Figure(figsize=(8, 4), layout="constrained")
axes = figure.subplots()
axes.plot(line, net.at(torch.from_numpy(line)).numpy(), color="#0072B2", linewidth=2)
for label, face, name in ((1, "#222222", "label +1"), (-1, "white", "label -1")):
    at = y == label
    axes.plot(z[at], y[at], "o", markerfacecolor=face, markeredgecolor="#222222", label=name)
axes.plot(net.b.numpy(), np.full(10, -2.0), "^", color="#666666", clip_on=False, label="hinge")
axes.set_ylim(-2, 2)
axes.set_xlabel("projection of a point onto the direction $a$")
axes.set_ylabel("network")
axes.spines[["top", "right"]].set_visible(False)
axes.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))

# %%
# It has 2n + d weights, and what it misses is rounding.

print(net.report)
