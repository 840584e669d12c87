"""Muon for the matrices, AdamW for the rest, one learning rate for both.

Muon (Keller Jordan, 2024): momentum made orthogonal by a Newton-Schulz iteration, here scaled to the size of AdamW's
steps.
"""

import math

import torch


def orthogonal(gradients, steps=5):
    """gradients [n, rows, columns]: each with its singular values brought near 1."""
    a, b, c = 3.4445, -4.7750, 2.0315
    flat = gradients.shape[-2] > gradients.shape[-1]
    x = gradients.transpose(-1, -2) if flat else gradients
    x = x / (x.flatten(-2).norm(dim=-1)[..., None, None] + 1e-7)
    for _ in range(steps):
        square = x @ x.transpose(-1, -2)
        x = a * x + (b * square + c * (square @ square)) @ x
    return x.transpose(-1, -2) if flat else x


class Muon(torch.optim.Optimizer):
    def __init__(self, weights, lr, decay=0.05, momentum=0.95):
        super().__init__(weights, {"lr": lr, "decay": decay, "momentum": momentum})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = {}
            for weight in group["params"]:
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                ahead = weight.grad.lerp(state["momentum"], group["momentum"])
                shapes.setdefault(weight.shape, []).append((weight, ahead))
            for shape, members in shapes.items():
                steps = orthogonal(torch.stack([ahead for _, ahead in members])) * (0.2 * math.sqrt(max(shape)))
                for (weight, _), step in zip(members, steps):
                    weight.mul_(1 - group["lr"] * group["decay"]).add_(step, alpha=-group["lr"])


class Optimiser:
    """Both, with a short linear warm-up and a cosine down to a fiftieth."""

    def __init__(self, model, lr, steps, warm=0.03):
        inner = lambda name: "blk." in name or name.startswith("mm.")
        matrices = [w for name, w in model.named_parameters() if inner(name) and w.ndim == 2]
        tables = [w for name, w in model.named_parameters() if not inner(name) and w.ndim >= 2]
        vectors = [w for w in model.parameters() if w.ndim == 1]
        self.parts = [Muon(matrices, lr), torch.optim.AdamW([{"params": tables, "weight_decay": 0.05},
                                                             {"params": vectors, "weight_decay": 0.0}], lr=lr,
                                                            betas=(0.9, 0.97))]
        self.lr, self.steps, self.warm, self.done = lr, steps, max(1, int(steps * warm)), 0

    def step(self):
        if self.done < self.warm:
            share = (self.done + 1) / self.warm
        else:
            share = 0.02 + 0.49 * (1 + math.cos(math.pi * (self.done - self.warm) / max(1, self.steps - self.warm)))
        self.done += 1
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = self.lr * share
            part.step()
            part.zero_grad(set_to_none=True)
