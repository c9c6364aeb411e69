"""Prints golden numbers of schedulers as JSON, computed by the reference implementation (diffusers), on float64 samples.

    pip install "numpy<2" torch==2.1.2 diffusers==0.33.1
    python test/reference/schedulers.py > test/reference/schedulers.json

The "network" is a fixed function of sample and timestep, so that every step depends on all earlier ones.
"""

import json
import platform

import diffusers
import numpy
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, PNDMScheduler

STABLE_DIFFUSION = dict(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
COSINE = dict(beta_schedule="squaredcos_cap_v2")
PBE = dict(STABLE_DIFFUSION, steps_offset=1, set_alpha_to_one=False)
DPM = dict(STABLE_DIFFUSION, algorithm_type="dpmsolver++", solver_order=2)
START = [1.3, -0.4, 0.05, -2.1]

CASES = [
    (PNDMScheduler, dict(PBE, skip_prk_steps=True), 50),
    (PNDMScheduler, dict(PBE, skip_prk_steps=True), 16),
    (DDIMScheduler, dict(PBE, clip_sample=False), 50),
    *[
        (DDIMScheduler, dict(schedule, clip_sample=False, timestep_spacing=spacing, prediction_type=prediction), steps)
        for schedule, prediction in ((STABLE_DIFFUSION, "epsilon"), (COSINE, "v_prediction"))
        for spacing in ("leading", "linspace", "trailing")
        for steps in (7, 16, 25)
    ],
    *[
        (DPMSolverMultistepScheduler, dict(DPM, timestep_spacing=spacing, prediction_type=prediction, **more), steps)
        for spacing in ("leading", "linspace", "trailing")
        for prediction in ("epsilon", "v_prediction")
        for more, steps in (
            ({}, 1), ({}, 2), ({}, 7), ({}, 20), ({"final_sigmas_type": "sigma_min"}, 10),
            ({"final_sigmas_type": "sigma_min"}, 20), ({"final_sigmas_type": "sigma_min", "lower_order_final": False}, 10),
        )
    ],
    (DPMSolverMultistepScheduler, dict(DPM, steps_offset=1, timestep_spacing="leading"), 20),
    (DPMSolverMultistepScheduler, dict(DPM, **{**COSINE, "lambda_min_clipped": -5.1, "prediction_type": "v_prediction"}), 20),
]


def network(sample, timestep):
    return torch.cos(3 * sample + 0.002 * float(timestep)) + 0.3 * sample


def even_step(scheduler, out, index, sample):
    return scheduler.step(out, scheduler.timesteps[index], sample).prev_sample


def uneven_ddim_step(scheduler, out, index, sample):
    """DDIM (Song et al. 2021, equation 12) to the next timestep. The library goes to `timestep - 1000 // steps`, which in
    these spacings is not the level at which the next step takes the sample to be."""
    timesteps = scheduler.timesteps.tolist()
    a = scheduler.alphas_cumprod.double()[timesteps[index]]
    last = index + 1 == len(timesteps)
    b = scheduler.final_alpha_cumprod.double() if last else scheduler.alphas_cumprod.double()[timesteps[index + 1]]
    if scheduler.config.prediction_type == "v_prediction":
        out = a.sqrt() * out + (1 - a).sqrt() * sample
    return b.sqrt() * (sample - (1 - a).sqrt() * out) / a.sqrt() + (1 - b).sqrt() * out


def run(kind, config, steps):
    scheduler = kind(num_train_timesteps=1000, **config)
    scheduler.set_timesteps(steps)
    sample = torch.tensor(START, dtype=torch.float64)
    uneven = kind is DDIMScheduler and config.get("timestep_spacing") in ("linspace", "trailing")
    step = uneven_ddim_step if uneven else even_step
    for index, timestep in enumerate(scheduler.timesteps):
        sample = step(scheduler, network(sample, timestep), index, sample)
    return {
        "config": {"_class_name": kind.__name__, "num_train_timesteps": 1000, **config},
        "steps": steps,
        "timesteps": [int(t) for t in scheduler.timesteps],
        "end": [float(x) for x in sample],
    }


versions = {
    "python": platform.python_version(),
    "numpy": numpy.__version__,
    "torch": torch.__version__,
    "diffusers": diffusers.__version__,
}
cases = [run(*case) for case in CASES]
print('{"versions": ' + json.dumps(versions) + ', "start": ' + json.dumps(START) + ', "cases": [')
print(",\n".join(json.dumps(case) for case in cases))
print("]}")
