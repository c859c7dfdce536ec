"""
Your own images
===============

Any object with a length and items ``(input, class)`` is a data set. This one reads a folder of
images with a subfolder for each class; the rest of the page works with any other.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import corruptlab as cl


class ImageFolder:
    def __init__(self, folder, size=28):
        self.paths = sorted(Path(folder).glob("*/*.png"))
        self.classes = sorted({path.parent.name for path in self.paths})
        self.size = size

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        path = self.paths[index]
        image = Image.open(path).convert("L").resize((self.size, self.size))
        return torch.tensor(np.array(image))[None], self.classes.index(path.parent.name)


# %%
# Replace ``folder`` by your own. Here some images of shoes and bags are written to a new one.

folder = Path(tempfile.mkdtemp())
clothes, _ = cl.datasets.load("fashion-mnist-mini")
for i in range(800):
    image, label = clothes[i]
    if (name := clothes.classes[label]) in ("Sandal", "Sneaker", "Ankle boot", "Bag"):
        path = folder / name.lower() / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image[0].numpy()).save(path)

images = ImageFolder(folder)
print(len(images), "images of", ", ".join(images.classes))

# %%
# Check the data set, then look at it.

print(cl.audit(images, workers=0).ok)

few = torch.utils.data.Subset(images, range(0, len(images), len(images) // 8))
rows = {
    "as they are": cl.materialize(few),
    "random labels": cl.materialize(cl.corrupt(few, cl.RandomLabels(), num_classes=4)),
    "shuffled pixels": cl.materialize(cl.corrupt(few, cl.ShuffledPixels(), num_classes=4)),
}
sheet = cl.plotting.examples(rows, clean=rows["as they are"][1], classes=images.classes)

# %%
# A small network fits its true labels, and random ones.

split = torch.Generator().manual_seed(0)
train, test = torch.utils.data.random_split(images, [0.8, 0.2], generator=split)
report = cl.randomization_test(
    cl.mlp(128, input_shape=(1, 28, 28), num_classes=4),
    train,
    test,
    recipe=cl.Recipe(learning_rate=0.03, decay=0.99, epochs=100, batch_size=25),
    settings=["true", "random-labels", "shuffled-pixels"],
    num_classes=4,
    model_name="mlp-1x128",
    data_name="own images",
)
figure = report.plot()
