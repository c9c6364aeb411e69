"""The reference of bench/train.bench.ts: one training step of each network in PyTorch on the CPU, timed on demand.

    python test/reference/steps.py pbg 2      # network (pbg, ba, unet) and threads; see values.py for the versions

For every line on stdin it takes one step and prints {"ms", "cpuMs"}; at the end of stdin {"peakMb", "version"}. Data and
weights are made once. A step is what ours is: forward, backward, clipping by global norm, AdamW (fused), average.
"""

import json
import resource
import sys
import time

import torch

from values import Case, contrastive, residual_mlp, unet


class Network(Case):
    """Makes each parameter on its first use and keeps it."""

    def __call__(self, name, *shape):
        full = ".".join([*self.prefix, name])
        if full not in self.tensors:
            self.tensors[full] = (torch.randn(shape) * 0.02).requires_grad_()
        return self.tensors[full]


def pbg(c):
    embedding, signal = torch.randn(128, 1024), torch.randn(128, 15724)
    return lambda: torch.nn.functional.mse_loss(residual_mlp(c, embedding, 2048, 4, 15724), signal)


def ba(c):
    embedding, real, pseudo = torch.randn(128, 1024), torch.randn(128, 15724), torch.randn(128, 15724)

    def loss():
        adapted = residual_mlp(c, torch.cat([real, pseudo]), 2048, 4, 1024)
        return contrastive(embedding, adapted[:128], 0.07) + contrastive(embedding, adapted[128:], 0.07)

    return loss


def toy_unet(c):
    sample, timestep, condition = torch.randn(32, 25, 16, 16), torch.rand(32) * 1000, torch.randn(32, 1, 1024)
    target, weight = torch.randn(32, 12, 16, 16), torch.rand(32, 1, 16, 16)
    denoise = lambda: unet(c, sample, timestep, condition, (64, 128, 192), 256, 4, 12)
    return lambda: (weight * (denoise() - target) ** 2).mean()


def main(name, threads):
    torch.set_num_threads(threads)
    torch.set_default_dtype(torch.float32)
    c = Network(name)
    loss_of = {"pbg": pbg, "ba": ba, "unet": toy_unet}[name](c)
    loss_of()
    parameters = list(c.tensors.values())
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": 0.01},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.99), fused=True)
    average = [p.detach().clone() for p in parameters]
    for _ in sys.stdin:
        start, cpu = time.perf_counter(), time.process_time()
        optimiser.zero_grad()
        loss = loss_of()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, parameters, 0.01)
        loss.item()
        ms, cpu_ms = 1000 * (time.perf_counter() - start), 1000 * (time.process_time() - cpu)
        print(json.dumps({"ms": ms, "cpuMs": cpu_ms}), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"peakMb": peak, "version": f"PyTorch {torch.__version__.split('+')[0]}"}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
