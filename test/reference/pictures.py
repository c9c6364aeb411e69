"""Reference values for src/metrics/pictures.ts, by programs that share no code with it. Writes pictures.json beside this file.

    python -m venv /tmp/pictures && /tmp/pictures/bin/pip install scikit-image==0.25.2 numpy==2.4.6 scipy==1.17.1 onnxruntime==1.32.0
    /tmp/pictures/bin/python test/reference/pictures.py [lpips.onnx]

The committed file was made by Python 3.11.7 and these. SSIM is scikit-image's with the settings that MindEye's
Reconstruction_Metrics.py uses; PixCorr and two-way identification are numpy's corrcoef, the latter with the counting of that
file; the boundary band is scipy's dilation. Pictures are drawn from their names, as test/unit/metrics-pictures.test.ts draws
them. With an LPIPS network at hand, its distances by onnxruntime are written too, beside the file's sha256.
"""

import hashlib
import json
import pathlib
import sys

import numpy as np
from scipy import ndimage
from skimage.color import rgb2gray
from skimage.metrics import structural_similarity


def draw(text, count):
    """Bytes: xorshift32 seeded by the FNV-1a hash of a text."""
    state = 2166136261
    for byte in text.encode():
        state = ((state ^ byte) * 16777619) & 0xFFFFFFFF
    state = state or 1
    values = []
    for _ in range(count):
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        values.append(state >> 24)
    return values


def noise(name, width, height):
    return np.array(draw(name, width * height * 3), np.uint8).reshape(height, width, 3)


def ramp(width, height):
    y, x, k = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return ((5 * x + 3 * y + 40 * k) % 256).astype(np.uint8)


def mix(a, b, share):
    """share / 8 of a, the rest of b, rounded down."""
    return ((share * a.astype(int) + (8 - share) * b.astype(int)) // 8).astype(np.uint8)


def pair(name, width, height, kind):
    a = noise(f"{name}/a", width, height)
    b = noise(f"{name}/b", width, height)
    return {
        "noise": lambda: (a, b),
        "same": lambda: (a, a),
        "near": lambda: (mix(ramp(width, height), a, 6), mix(ramp(width, height), b, 6)),
        "inverse": lambda: (ramp(width, height), 255 - ramp(width, height)),
        "dimmed": lambda: (ramp(width, height), mix(ramp(width, height), np.zeros_like(a), 4)),
    }[kind]()


pictures = []
for name, width, height, kind in [
    ("p1", 11, 11, "noise"), ("p2", 32, 32, "noise"), ("p3", 40, 24, "same"), ("p4", 40, 24, "near"), ("p5", 64, 48, "near"),
    ("p6", 33, 57, "inverse"), ("p7", 64, 64, "dimmed"), ("p8", 100, 20, "near"),
]:
    a, b = pair(name, width, height, kind)
    ssim = structural_similarity(
        rgb2gray(a), rgb2gray(b), gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0
    )
    pixcorr = np.corrcoef(a.reshape(1, -1).astype(float), b.reshape(1, -1).astype(float))[0, 1]
    pictures.append({"name": name, "width": width, "height": height, "kind": kind, "ssim": ssim, "pixCorr": pixcorr})

identification = []
for name, n, size in [("i1", 2, 5), ("i2", 6, 16), ("i3", 25, 40)]:
    reals = np.array(draw(f"{name}/reals", n * size), float).reshape(n, size)
    recons = (reals + 2 * np.array(draw(f"{name}/recons", n * size), float).reshape(n, size))
    r = np.corrcoef(reals, recons)[:n, n:]
    congruent = np.diag(r)
    success = r < congruent
    identification.append({
        "name": name, "n": n, "size": size,
        "shares": (success.sum(0) / (n - 1)).tolist(),
        "cosines": [float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in zip(reals, recons)],
    })

bands = []
for name, width, height, band in [("b1", 20, 16, 1), ("b2", 33, 21, 3), ("b3", 12, 40, 4)]:
    blobs = np.array(draw(f"{name}/mask", width * height)).reshape(height, width) > 235
    mask = ndimage.binary_dilation(blobs, np.ones((5, 5)))
    source, painting = noise(f"{name}/source", width, height), noise(f"{name}/painting", width, height)
    edge = mask & ndimage.binary_dilation(~mask, np.ones((3, 3)), iterations=band)
    error = np.abs(painting[edge].astype(float) - source[edge]).mean() / 255
    bands.append({"name": name, "width": width, "height": height, "bandPx": band, "pixels": int(edge.sum()), "error": error})

here = pathlib.Path(__file__).parent / "pictures.json"
lpips = json.loads(here.read_text())["lpips"] if here.exists() else None
if len(sys.argv) > 1:
    import onnxruntime

    file = pathlib.Path(sys.argv[1]).read_bytes()
    session = onnxruntime.InferenceSession(file)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

    def planar(rgb):
        return ((rgb / 255 - mean) / std).transpose(2, 0, 1)[None].astype(np.float32)

    distances = []
    for name, width, height, kind in [("l1", 256, 256, "near"), ("l2", 256, 256, "noise"), ("l3", 256, 256, "same")]:
        a, b = pair(name, width, height, kind)
        (score,) = session.run(None, {"ref": planar(a), "dist": planar(b)})
        distances.append({"name": name, "width": width, "height": height, "kind": kind, "distance": float(score[0])})
    lpips = {"sha256": hashlib.sha256(file).hexdigest(), "distances": distances}

here.write_text(json.dumps({"pictures": pictures, "identification": identification, "bands": bands, "lpips": lpips}, indent=1) + "\n")
