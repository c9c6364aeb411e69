"""Reference values for test/numeric/reference.test.ts: losses, gradients and optimiser steps by PyTorch, in float64.

    python -m venv /tmp/torch && /tmp/torch/bin/pip install torch==2.15.0 numpy==2.4.6
    /tmp/torch/bin/python test/reference/values.py > test/reference/values.json

The committed values.json was made by Python 3.11.7 and PyTorch 2.15.0 on the CPU. No tensor is shared with the test:
both sides draw the same numbers from the case's and the tensor's name (`draw` here, test/support/drawn-tensors.ts there).
"""

import json
import math

import torch
import torch.nn.functional as F

F64 = torch.float64


def uniform(text, count):
    """Multiples of 2^-23 in [-1, 1): xorshift32 seeded by the FNV-1a hash of a text."""
    state = 2166136261
    for byte in text.encode():
        state = ((state ^ byte) * 16777619) & 0xFFFFFFFF
    state = state or 1
    values = []
    for _ in range(count):
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        values.append((state >> 8) / 2**23 - 1)
    return values


def draw(case, name, shape):
    u = torch.tensor(uniform(f"{case}/{name}", math.prod(shape)), dtype=F64).reshape(shape)
    if name == "timestep":
        return torch.floor((u + 1) * 500)
    if name in ("targets", "kind", "colour", "weight"):
        return (u + 1) / 2
    if name == "present":
        return (u > 0).to(F64)
    if name.endswith(".weight"):
        return 1 + u / 4 if len(shape) == 1 else u / 4
    return u / 4 if name.endswith(".bias") else u


class Case:
    """Draws tensors by name and remembers them, so that their gradients can be read."""

    def __init__(self, name):
        self.name, self.tensors, self.prefix = name, {}, []

    def __call__(self, name, *shape):
        full = ".".join([*self.prefix, name])
        self.tensors[full] = draw(self.name, full, shape).requires_grad_()
        return self.tensors[full]

    def scope(self, prefix, function, *args, **kwargs):
        self.prefix.append(prefix)
        result = function(self, *args, **kwargs)
        self.prefix.pop()
        return result


def linear(c, name, x, size):
    return c.scope(name, lambda c: F.linear(x, c("weight", size, x.shape[-1]), c("bias", size)))


def conv(c, name, x, size, kernel=3, stride=1):
    def build(c):
        weight = c("weight", size, x.shape[1], kernel, kernel)
        return F.conv2d(x, weight, c("bias", size), stride=stride, padding=kernel // 2)

    return c.scope(name, build)


def group_norm(c, name, x, groups):
    return c.scope(name, lambda c: F.group_norm(x, groups, c("weight", x.shape[1]), c("bias", x.shape[1])))


def layer_norm(c, name, x):
    size = x.shape[-1]
    return c.scope(name, lambda c: F.layer_norm(x, (size,), c("weight", size), c("bias", size)))


def residual_linear(c, name, x):
    def build(c):
        hidden = F.silu(linear(c, "fc1", layer_norm(c, "norm", x), x.shape[-1]))
        return x + linear(c, "fc2", hidden, x.shape[-1])

    return c.scope(name, build)


def self_attention(c, name, x, heads, groups):
    def build(c):
        n, channels, height, width = x.shape
        normal = group_norm(c, "norm", x, groups)

        def project(part):
            flat = conv(c, part, normal, channels, kernel=1).reshape(n, heads, channels // heads, height * width)
            return flat.transpose(2, 3)

        q, k, v = project("to_q"), project("to_k"), project("to_v")
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(x.shape)
        return x + conv(c, "to_out", mixed, channels, kernel=1)

    return c.scope(name, build)


def token_attention(c, name, x, place, tokens, heads, groups):
    def build(c):
        n, channels, height, width = x.shape
        asking = torch.cat([group_norm(c, "norm", x, groups), place], dim=1)
        split = lambda t: t.reshape(n, heads, channels // heads, -1).transpose(2, 3)
        q = split(conv(c, "to_q", asking, channels, kernel=1))
        k, v = (split(conv(c, part, tokens, channels, kernel=1)) for part in ("to_k", "to_v"))
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(2, 3).reshape(x.shape)
        return x + conv(c, "to_out", mixed, channels, kernel=1)

    return c.scope(name, build)


def residual_conv(c, name, x, size, groups, embedding=None):
    def build(c):
        first = conv(c, "conv1", F.silu(group_norm(c, "norm1", x, groups)), size)
        second = group_norm(c, "norm2", first, groups)
        if embedding is not None:
            scale, shift = linear(c, "emb", embedding, 2 * size)[:, :, None, None].chunk(2, dim=1)
            second = second * (1 + scale) + shift
        out = conv(c, "conv2", F.silu(second), size)
        return out + (x if x.shape[1] == size else conv(c, "shortcut", x, size, kernel=1))

    return c.scope(name, build)


def timestep_embedding(timestep, size):
    frequencies = 10000 ** (-torch.arange(size // 2, dtype=F64) / (size // 2))
    angles = timestep[:, None] * frequencies.to(timestep.dtype)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def contrastive(x, y, tau):
    logits = F.normalize(x, dim=1) @ F.normalize(y, dim=1).T / tau
    labels = torch.arange(len(x))
    return (F.cross_entropy(logits, labels) + F.cross_entropy(logits.T, labels)) / 2


def residual_mlp(c, x, hidden, blocks, outputs):
    x = linear(c, "linear_in", x, hidden)
    for i in range(blocks):
        x = residual_linear(c, f"block{i}", x)
    return linear(c, "linear_out", layer_norm(c, "norm_out", x), outputs)


def place_features(keep, here):
    """Where each of here x here positions lies within the hole of keep [n, 1, side, side]."""
    side = keep.shape[-1]
    hole = 1 - keep
    area = hole.sum((2, 3), keepdim=True) + 1e-3
    offsets, variances = [], []
    for shape in ((1, 1, 1, -1), (1, 1, -1, 1)):
        at = ((torch.arange(side, dtype=F64) + 0.5)).reshape(shape)
        mean = (hole * at).sum((2, 3), keepdim=True) / area
        variances.append((hole * (at - mean) ** 2).sum((2, 3), keepdim=True) / area)
        centres = ((torch.arange(here, dtype=F64) + 0.5) * side / here).reshape(shape)
        offsets.append((centres - mean).expand(-1, -1, here, here))
    half = torch.sqrt(3 * torch.maximum(*variances) + 0.25)
    channels = []
    for offset in offsets:
        wide = offset / half
        waves = [f(wide * k * math.pi / 2) for k in (1, 2, 4) for f in (torch.sin, torch.cos)]
        channels += [torch.tanh(wide), *waves]
    return torch.cat(channels, dim=1)


def unet(c, sample, timestep, condition, widths, embedding, heads, latent, tokens=None):
    outer, middle, inner = widths
    time = F.silu(linear(c, "time_embedding", timestep_embedding(timestep, outer), embedding))
    joint = linear(c, "time_projection", time, embedding)
    joint = joint + linear(c, "condition_embedding", condition[:, 0], embedding)
    emb = F.silu(linear(c, "joint_embedding", F.silu(joint), embedding))
    block = lambda name, x, width: residual_conv(c, name, x, width, 8, emb)
    attend = lambda name, x: self_attention(c, name, x, heads, 8)
    place = lambda x: place_features(sample[:, 2 * latent :], x.shape[-1])
    if tokens:
        count, width = tokens
        parts = linear(c, "tokens", condition[:, 0], width * count).reshape(-1, width, count, 1)
        parts = parts + c("token_bias", width, count, 1)
    ask = lambda name, x: token_attention(c, name, x, place(x), parts, heads, 8) if tokens else x
    x = conv(c, "conv_in", sample, outer)
    if tokens:
        x = x + conv(c, "place_in", place(x), outer, kernel=1)
    x = block("down0.0", x, outer)
    skip0 = block("down0.1", x, outer)
    x = ask("down1.tokens", block("down1.0", conv(c, "downsample0", skip0, middle, stride=2), middle))
    skip1 = attend("down1.attention", block("down1.1", x, middle))
    x = ask("middle.tokens", block("middle.0", conv(c, "downsample1", skip1, inner, stride=2), inner))
    x = block("middle.1", attend("middle.attention", x), inner)
    x = F.pixel_shuffle(conv(c, "upsample1", x, 4 * middle, kernel=1), 2)
    x = attend("up1.attention", ask("up1.tokens", block("up1.0", torch.cat([x, skip1], 1), middle)))
    x = block("up1.1", x, middle)
    x = F.pixel_shuffle(conv(c, "upsample0", x, 4 * outer, kernel=1), 2)
    x = block("up0.1", block("up0.0", torch.cat([x, skip0], 1), outer), outer)
    return conv(c, "conv_out", F.silu(group_norm(c, "norm_out", x, 8)), latent)


def encode_image(c, image, width, latent, patch):
    x = conv(c, "conv_in", F.pixel_unshuffle(image, patch), width // 2)
    x = conv(c, "down", F.silu(group_norm(c, "norm_in", x, 8)), width, stride=2)
    x = residual_conv(c, "block", x, width, 8)
    return conv(c, "conv_out", F.silu(group_norm(c, "norm_out", x, 8)), 2 * latent)


def decode_latent(c, x, width, patch):
    x = conv(c, "conv_in", x, width)
    x = residual_conv(c, "block2", residual_conv(c, "block1", x, width, 8), width, 8)
    x = residual_conv(c, "block3", F.pixel_shuffle(conv(c, "up1", x, 2 * width), 2), width // 2, 8)
    x = F.silu(group_norm(c, "norm_out", x, 8))
    x = F.silu(F.pixel_shuffle(conv(c, "up2", x, width), 2))
    rest = patch // 2
    return F.pixel_shuffle(conv(c, "conv_out", x, 3 * rest * rest), rest)


def autoencoder_objective(c):
    image, noise = c("image", 2, 3, 16, 16), c("noise", 2, 3, 2, 2)
    mean, log_variance = c.scope("encoder", encode_image, image, 32, 3, 4).chunk(2, dim=1)
    latent = torch.distributions.Normal(mean, torch.exp(log_variance / 2))
    decoded = c.scope("decoder", decode_latent, mean + latent.scale * noise, 32, 4)
    error = decoded - image
    slopes = error.diff(dim=2).abs().mean() + error.diff(dim=3).abs().mean()
    standard = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    divergence = torch.distributions.kl_divergence(latent, standard).mean()
    return F.l1_loss(decoded, image) + slopes + 0.01 * divergence


def image_encoder_objective(c):
    image, kind, colour = c("image", 3, 3, 16, 16), c("kind", 3, 3), c("colour", 3, 4)
    place, present = c("place", 3, 3), c("present", 3, 1)

    def embed(c):
        x = image
        for i, width in enumerate([16, 32]):
            x = conv(c, f"stage{i}", x, width, kernel=5 if i == 0 else 3, stride=2)
            x = F.silu(group_norm(c, f"norm{i}", x, 8))
        x = F.silu(group_norm(c, "norm_mix", conv(c, "mix", x, 32), 8))
        return F.layer_norm(linear(c, "projection", conv(c, "neck", x, 4, kernel=1).flatten(1), 16), (16,))

    embedding = c.scope("encoder", embed)
    loss = F.cross_entropy(linear(c, "kind_head", embedding, 3), kind)
    loss = loss + 0.5 * F.cross_entropy(linear(c, "colour_head", embedding, 4), colour * present)
    return loss + 2 * F.mse_loss(linear(c, "place_head", embedding, 3) * present, place * present)


def brain_adapter_objective(c, *names):
    embedding, signals = c("embedding", 4, 12), [c(name, 4, 24) for name in names]
    adapted = residual_mlp(c, torch.cat(signals), 16, 2, 12)
    return sum(contrastive(embedding, rows, 0.07) for rows in adapted.split(4))


def diffusion_objective(c, tokens=None):
    sample, timestep = c("sample", 2, 9, 8, 8), c("timestep", 2)
    condition, target = c("encoder_hidden_states", 2, 1, 12), c("target", 2, 4, 8, 8)
    weight = c("weight", 2, 1, 8, 8)
    predicted = unet(c, sample, timestep, condition, (16, 16, 32), 16, 2, 4, tokens)
    return (weight * (predicted - target) ** 2).mean()


def pseudo_brain_objective(c):
    embedding, signal = c("embedding", 4, 12), c("signal", 4, 24)
    return F.mse_loss(residual_mlp(c, embedding, 16, 2, 24), signal)


CASES = {
    "linear": lambda c: linear(c, "layer", c("x", 3, 5), 4),
    "conv": lambda c: conv(c, "layer", c("x", 2, 3, 6, 5), 4),
    "conv stride 2": lambda c: conv(c, "layer", c("x", 2, 3, 8, 6), 4, kernel=5, stride=2),
    "conv kernel 1": lambda c: conv(c, "layer", c("x", 2, 3, 4, 4), 5, kernel=1),
    "groupNorm": lambda c: group_norm(c, "layer", c("x", 2, 8, 3, 4), 4),
    "layerNorm": lambda c: layer_norm(c, "layer", c("x", 3, 7)),
    "residualLinear": lambda c: residual_linear(c, "layer", c("x", 4, 9)),
    "selfAttention": lambda c: self_attention(c, "layer", c("x", 2, 8, 3, 4), 2, 4),
    "selfAttention one head": lambda c: self_attention(c, "layer", c("x", 2, 8, 4, 4), 1, 2),
    "tokenAttention": lambda c: token_attention(
        c, "layer", c("x", 2, 8, 3, 4), c("place", 2, 3, 3, 4), c("tokens", 2, 6, 5, 1), 2, 4
    ),
    "residualConv": lambda c: residual_conv(c, "layer", c("x", 2, 8, 4, 4), 8, 4),
    "residualConv embedding": lambda c: residual_conv(
        c, "layer", c("x", 2, 8, 4, 4), 12, 4, embedding=c("embedding", 2, 6)
    ),
    "timestepEmbedding": lambda c: timestep_embedding(c("timestep", 5), 8),
    "meanSquaredError": lambda c: F.mse_loss(c("x", 3, 5), c("y", 3, 5)),
    "meanAbsoluteError": lambda c: F.l1_loss(c("x", 3, 5), c("y", 3, 5)),
    "crossEntropy": lambda c: F.cross_entropy(c("x", 4, 6), c("targets", 4, 6)),
    "symmetricContrastive": lambda c: contrastive(c("x", 6, 5), c("y", 6, 5), 0.07),
    "symmetricContrastive warm": lambda c: contrastive(c("x", 6, 5), c("y", 6, 5), 1.5),
    "autoencoderObjective": autoencoder_objective,
    "imageEncoderObjective": image_encoder_objective,
    "pseudoBrainObjective": pseudo_brain_objective,
    "brainAdapterObjective": lambda c: brain_adapter_objective(c, "real", "pseudo"),
    "brainAdapterObjective real": lambda c: brain_adapter_objective(c, "real"),
    "brainAdapterObjective pseudo": lambda c: brain_adapter_objective(c, "pseudo"),
    "diffusionObjective": diffusion_objective,
    "diffusionObjective tokens": lambda c: diffusion_objective(c, tokens=(5, 8)),
    "placeFeatures": lambda c: place_features(c("keep", 2, 1, 8, 8), 4),
}


def digits(values):
    return [float(f"{v:.9g}") for v in values]


def summary(case, name, g):
    """At most 24 values at even distances, and two sums that every element enters: all that the test compares."""
    flat = g.detach().reshape(-1)
    step = max(1, len(flat) // 24)
    mix = torch.tensor(uniform(f"{case}/{name}/mix", len(flat)), dtype=F64)
    return {
        "values": digits(flat[::step][:24].tolist()),
        "norm": digits([flat.norm().item()])[0],
        "mix": digits([(flat * mix).sum().item()])[0],
    }


def run(name):
    c = Case(name)
    out = CASES[name](c)
    loss = out if out.ndim == 0 else (out * draw(name, "mix", out.shape)).sum()
    loss.backward()
    gradients = {k: summary(name, k, t.grad) for k, t in c.tensors.items() if t.grad is not None}
    return {"loss": digits([loss.item()])[0], "gradients": gradients}


def adamw(name, clip, decay, betas, epsilon, ema_decay):
    """Six steps of torch.optim.AdamW with two groups, clipping and an average, on a small residual network."""
    c = Case(name)
    forward = lambda t: linear(c, "out", residual_linear(c, "block", draw(name, f"x{t}", (4, 6))), 3)
    forward(0)
    parameters = dict(c.tensors)
    average = {k: p.detach().clone() for k, p in parameters.items()}
    groups = [
        {"params": [p for p in parameters.values() if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters.values() if p.ndim == 1], "weight_decay": 0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=1, betas=betas, eps=epsilon)
    Case.__call__, drawn = lambda c, n, *s: parameters[".".join([*c.prefix, n])], Case.__call__
    steps = []
    for t in range(6):
        for group in optimiser.param_groups:
            group["lr"] = 0.05 / (t + 1)
        optimiser.zero_grad()
        loss = F.mse_loss(forward(t), draw(name, f"y{t}", (4, 3)))
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters.values(), math.inf if clip is None else clip)
        optimiser.step()
        with torch.no_grad():
            for k, p in parameters.items():
                average[k].lerp_(p, 1 - min(ema_decay, (1 + t) / (10 + t)))
        steps.append({"loss": digits([loss.item()])[0], "norm": digits([norm.item()])[0]})
    Case.__call__ = drawn
    whole = lambda pick: {k: digits(pick(k, p).detach().reshape(-1).tolist()) for k, p in parameters.items()}
    return {
        "steps": steps,
        "params": whole(lambda k, p: p),
        "moment1": whole(lambda k, p: optimiser.state[p]["exp_avg"]),
        "moment2": whole(lambda k, p: optimiser.state[p]["exp_avg_sq"]),
        "ema": whole(lambda k, p: average[k]),
    }


ADAMW = {
    "adamw clipped": dict(clip=0.5, decay=0.1, betas=(0.9, 0.99), epsilon=1e-8, ema_decay=0.3),
    "adamw free": dict(clip=None, decay=0.3, betas=(0.5, 0.95), epsilon=1e-3, ema_decay=0),
}

if __name__ == "__main__":
    result = {"torch": torch.__version__.split("+")[0], "cases": {name: run(name) for name in CASES}}
    result["adamw"] = {name: adamw(name, **settings) for name, settings in ADAMW.items()}
    print(json.dumps(result, separators=(",", ":")))
