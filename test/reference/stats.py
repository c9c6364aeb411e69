"""Reference values for src/stats, made by programs that share no code with it. Writes stats.json beside this file.

Python 3.11.7, numpy 1.26.4, scipy 1.12.0, statsmodels 0.15.0, krippendorff 0.9.0, irrCAC 0.4.4, pandas 2.3.3
Run in a virtual environment outside the repository:
    python -m venv /tmp/reference && /tmp/reference/bin/pip install numpy==1.26.4 scipy==1.12.0 statsmodels==0.15.0 \
        krippendorff==0.9.0 irrCAC==0.4.4 pandas==2.3.3 && /tmp/reference/bin/python test/reference/stats.py

Where no program offers the quantity (exact signed ranks with ties and zeros; Cliff's variance; a crossed bootstrap on
given draws) it is computed here from its definition, by brute force where that is possible. `published` holds the
figures printed in the source named, as a check of the check.
"""

import json
import pathlib

import irrCAC.datasets
import krippendorff
import numpy as np
import pandas as pd
import scipy.stats as st
import statsmodels.api as sm
from irrCAC.raw import CAC
from scipy.optimize import brentq
from statsmodels.stats.inter_rater import aggregate_raters, fleiss_kappa
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(20250101)
NA = np.nan


def cells(matrix):
    """Rows of items, columns of raters; null where a rater did not rate."""
    return [[None if np.isnan(v) else float(v) for v in row] for row in np.asarray(matrix, float)]


# ---------------------------------------------------------------- agreement

KRIPPENDORFF_2011 = np.array([
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NA, NA, NA],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NA, 3],
    [NA, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NA],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NA],
]).T

FLEISS_1971 = [  # 30 patients, six psychiatrists each: depression, personality, schizophrenia, neurosis, other
    [0, 0, 0, 6, 0], [0, 3, 0, 0, 3], [0, 1, 4, 0, 1], [0, 0, 0, 0, 6], [0, 3, 0, 3, 0], [2, 0, 4, 0, 0],
    [0, 0, 4, 0, 2], [2, 0, 3, 1, 0], [2, 0, 0, 4, 0], [0, 0, 0, 0, 6], [1, 0, 0, 5, 0], [1, 1, 0, 4, 0],
    [0, 3, 3, 0, 0], [1, 0, 0, 5, 0], [0, 2, 0, 3, 1], [0, 0, 5, 0, 1], [3, 0, 0, 1, 2], [5, 1, 0, 0, 0],
    [0, 2, 0, 4, 0], [1, 0, 2, 0, 3], [0, 0, 0, 0, 6], [0, 1, 0, 5, 0], [0, 2, 0, 1, 3], [2, 0, 0, 4, 0],
    [1, 0, 0, 4, 1], [0, 5, 0, 1, 0], [4, 0, 0, 0, 2], [0, 2, 0, 4, 0], [1, 0, 5, 0, 0], [0, 0, 0, 0, 6],
]

FOURTEEN_RATERS = [  # the ten-item example that encyclopaedias and textbooks print for Fleiss' kappa
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]


def spread(counts):
    return np.array([np.repeat(np.arange(1, len(row) + 1), row) for row in counts], float)


def ordinal_ratings(items, raters, missing, noise, cuts=(-0.5, 0.7)):
    latent = rng.normal(0, 1, (items, 1)) + rng.normal(0, 0.4, (1, raters)) + rng.normal(0, noise, (items, raters))
    values = 1.0 + (latent[:, :, None] > np.array(cuts)).sum(axis=2)
    values[rng.random((items, raters)) < missing] = NA
    return values


gwet_4 = irrCAC.datasets.raw_4raters().to_numpy(float)
gwet_5 = irrCAC.datasets.raw_5observers().to_numpy(float)

AGREEMENT = [
    ("Krippendorff 2011, four observers", KRIPPENDORFF_2011, [1, 2, 3, 4, 5],
     {"alphaNominal": 0.743, "alphaOrdinal": 0.815, "alphaInterval": 0.849}),
    ("Fleiss 1971, psychiatric diagnoses", spread(FLEISS_1971), [1, 2, 3, 4, 5], {"fleissKappa": 0.430}),
    ("Fleiss' kappa, fourteen raters", spread(FOURTEEN_RATERS), [1, 2, 3, 4, 5], {"fleissKappa": 0.210}),
    ("Gwet 2014, four raters with missing values", gwet_4, [1, 2, 3, 4, 5], {"gwetIdentity": 0.77544}),
    ("Gwet 2014, five observers", gwet_5, sorted(set(gwet_5[~np.isnan(gwet_5)].tolist())), {}),
    ("100 items, 4 raters, 1 to 3", ordinal_ratings(100, 4, 0, 1), [1, 2, 3], {}),
    ("60 items, 7 raters, a third missing", ordinal_ratings(60, 7, 0.33, 0.7), [1, 2, 3], {}),
    ("40 items, 20 raters, most missing", ordinal_ratings(40, 20, 0.8, 1.2), [1, 2, 3], {}),
    ("two raters", ordinal_ratings(25, 2, 0, 0.5), [1, 2, 3], {}),
    ("ceiling: nearly all 3", ordinal_ratings(50, 4, 0.1, 1, (-3.2, -2.2)), [1, 2, 3], {}),
    ("no agreement beyond chance", rng.integers(1, 4, (80, 5)).astype(float), [1, 2, 3], {}),
    ("category 2 never used", np.where(rng.random((30, 3)) < 0.6, 1.0, 3.0), [1, 2, 3], {}),
    ("everyone says 3", np.full((12, 4), 3.0), [1, 2, 3], {}),
]


def agreement(name, matrix, categories, published):
    constant = len(set(matrix[~np.isnan(matrix)].tolist())) == 1
    frame = pd.DataFrame(matrix)
    out = {}
    for key, level in [("alphaNominal", "nominal"), ("alphaOrdinal", "ordinal"), ("alphaInterval", "interval")]:
        out[key] = None if constant else float(krippendorff.alpha(matrix.T, level_of_measurement=level,
                                                                  value_domain=categories))
    for key, weights in [("Identity", "identity"), ("Linear", "linear"), ("Quadratic", "quadratic"),
                         ("Ordinal", "ordinal")]:
        cac = CAC(frame.copy(), weights=weights, categories=categories, digits=15)
        if not constant:
            out["gwet" + key] = float(cac.gwet()["est"]["coefficient_value"])
            out["percent" + key] = float(cac.gwet()["est"]["pa"])
            out["kappa" + key] = float(cac.fleiss()["est"]["coefficient_value"])
    if constant:  # Gwet's formula by hand: the package divides by a zero variance here
        out.update({"gwetIdentity": 1.0, "percentIdentity": 1.0, "kappaIdentity": None})
    elif not np.isnan(matrix).any():
        table, _ = aggregate_raters(matrix.astype(int))
        assert abs(fleiss_kappa(table) - out["kappaIdentity"]) < 1e-12, name
    out["fleissKappa"] = out["kappaIdentity"]
    for key, value in published.items():
        digits = len(str(value).split(".")[1])
        assert abs(out[key] - value) <= 0.6 * 10 ** -digits, (name, key, out[key], value)
    return {"name": name, "categories": categories, "ratings": cells(matrix), "expected": out, "published": published}


# ---------------------------------------------------------------- paired differences

HAMILTON = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]) - np.array(
    [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
DARWIN = np.array([49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48], float)


def three_point(n, lift):
    first = 1 + (rng.normal(lift, 1, n)[:, None] > [-0.5, 0.7]).sum(axis=1)
    second = 1 + (rng.normal(0, 1, n)[:, None] > [-0.5, 0.7]).sum(axis=1)
    return (first - second).astype(float)


PAIRED = [
    ("Hollander and Wolfe 1999, table 3.1: Hamilton depression scale", HAMILTON, {"positiveRanks": 40, "exact": 0.0391}),
    ("Darwin's maize, as printed by Fisher 1935", DARWIN, {"negativeRanks": 24, "exact": 0.0413}),
    ("12 differences of a three-point scale", three_point(12, 0.5), {}),
    ("16 differences of a three-point scale", three_point(16, 0.2), {}),
    ("18 item means with ties and zeros", np.round(rng.normal(0.2, 0.5, 18) * 4) / 4, {}),
    ("20 rater means", np.round(rng.normal(0.15, 0.3, 20) * 20) / 20, {}),
    ("60 differences of a three-point scale", three_point(60, 0.3), {}),
    ("400 differences of a three-point scale", three_point(400, 0.1), {}),
    ("one difference", np.array([1.0]), {}),
    ("all tied", np.zeros(6), {}),
]


def brute_force_pratt(d):
    """Two-sided p over all sign patterns of the non-zero differences, zeros ranked and then dropped."""
    ranks = st.rankdata(np.abs(d))[d != 0]
    positive = ranks[d[d != 0] > 0].sum()
    sums = np.zeros(1)
    for r in ranks:
        sums = np.concatenate([sums, sums + r])
    lower = min(positive, ranks.sum() - positive)
    return min(1.0, 2 * float(np.mean(sums <= lower + 1e-9)))


def paired(name, d, published):
    n_pos, n_neg = int((d > 0).sum()), int((d < 0).sum())
    n = n_pos + n_neg
    out = {"positive": n_pos, "negative": n_neg, "ties": int((d == 0).sum())}
    if n:
        ranks = st.rankdata(np.abs(d))
        out["signExact"] = float(st.binomtest(n_pos, n, 0.5).pvalue)
        z = (n_pos - n_neg) / np.sqrt(n)
        out["signZ"] = float(z)
        out["signAsymptotic"] = float(2 * st.norm.sf(abs(z)))
        out["positiveRanks"] = float(ranks[d > 0].sum())
        out["negativeRanks"] = float(ranks[d < 0].sum())
        result = st.wilcoxon(d, zero_method="pratt", correction=False, mode="approx")
        out["asymptotic"] = float(result.pvalue)
        out["absoluteZ"] = float(abs(result.zstatistic))
        out["exact"] = brute_force_pratt(d) if n <= 20 else None
        if n <= 20 and len(set(np.abs(d))) == len(d) and 0 not in d:
            assert abs(st.wilcoxon(d, mode="exact").pvalue - out["exact"]) < 1e-12
    for key, value in published.items():
        assert abs(out[key] - value) < 1e-4, (name, key, out[key])
    return {"name": name, "differences": d.tolist(), "expected": out, "published": published}


# ---------------------------------------------------------------- Friedman

ROUNDING_FIRST_BASE = [
    [5.40, 5.50, 5.55], [5.85, 5.70, 5.75], [5.20, 5.60, 5.50], [5.55, 5.50, 5.40], [5.90, 5.85, 5.70],
    [5.45, 5.55, 5.60], [5.40, 5.40, 5.35], [5.45, 5.50, 5.35], [5.25, 5.15, 5.00], [5.85, 5.80, 5.70],
    [5.25, 5.20, 5.10], [5.65, 5.55, 5.45], [5.60, 5.35, 5.45], [5.05, 5.00, 4.95], [5.50, 5.50, 5.40],
    [5.45, 5.55, 5.50], [5.55, 5.55, 5.35], [5.45, 5.50, 5.55], [5.50, 5.45, 5.25], [5.65, 5.60, 5.40],
    [5.70, 5.65, 5.55], [6.30, 6.30, 6.25],
]


def friedman(name, blocks, published):
    blocks = np.asarray(blocks, float)
    chi, p = st.friedmanchisquare(*blocks.T)
    n, k = blocks.shape
    # Kendall's W with ties from its own definition, not from chi-square.
    ranks = np.array([st.rankdata(row) for row in blocks])
    s = ((ranks.sum(axis=0) - n * (k + 1) / 2) ** 2).sum()
    ties = sum((c**3 - c) for row in blocks for c in np.unique(row, return_counts=True)[1])
    w = 12 * s / (n**2 * (k**3 - k) - n * ties)
    out = {"chiSquare": float(chi), "pValue": float(p), "kendallW": float(w), "meanRanks": ranks.mean(axis=0).tolist()}
    for key, value in published.items():
        assert abs(out[key] - value) < 1e-3, (name, key, out[key])
    return {"name": name, "blocks": blocks.tolist(), "expected": out, "published": published}


FRIEDMAN = [
    ("Hollander and Wolfe 1999, table 7.1: rounding first base", ROUNDING_FIRST_BASE,
     {"chiSquare": 11.143, "pValue": 0.0038}),
    ("20 raters, four arms, three-point scale", rng.integers(1, 4, (20, 4)), {}),
    ("100 items, five arms", rng.normal(0, 1, (100, 5)) + np.linspace(0, 0.5, 5), {}),
]


# ---------------------------------------------------------------- Cliff's delta

def cliff(name, x, y):
    x, y = np.asarray(x, float), np.asarray(y, float)
    n, m = len(x), len(y)
    d = np.sign(x[:, None] - y[None, :])
    delta = d.mean()
    var = ((m**2 * ((d.mean(axis=1) - delta) ** 2).sum() + n**2 * ((d.mean(axis=0) - delta) ** 2).sum()
            - ((d - delta) ** 2).sum()) / (n * m * (n - 1) * (m - 1)))
    var = max(var, (1 - delta**2) / (n * m - 1))
    z = st.norm.ppf(0.975)
    root = z * np.sqrt(var) * np.sqrt((1 - delta**2) ** 2 + z**2 * var)
    bottom = 1 - delta**2 + z**2 * var
    u = st.mannwhitneyu(x, y).statistic  # delta = 2U/(nm) - 1
    assert abs(2 * u / (n * m) - 1 - delta) < 1e-12
    return {"name": name, "first": x.tolist(), "second": y.tolist(), "expected": {
        "delta": float(delta), "standardError": float(np.sqrt(var)),
        "low": max(-1.0, float((delta - delta**3 - root) / bottom)),
        "high": min(1.0, float((delta - delta**3 + root) / bottom))}}


CLIFF = [
    ("ten against six", [10, 10, 20, 20, 20, 30, 30, 30, 40, 50], [10, 20, 30, 40, 40, 50]),
    ("three-point ratings", rng.integers(1, 4, 40), rng.integers(1, 4, 35)),
    ("continuous", rng.normal(0.5, 1, 30), rng.normal(0, 1, 25)),
    ("almost apart", [3, 3, 3, 3, 2], [1, 1, 2, 1, 1]),
]

# ---------------------------------------------------------------- corrections

BENJAMINI_HOCHBERG_1995 = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
                           0.5719, 0.6528, 0.7590, 1.0]


def corrections(name, p):
    p = list(map(float, p))
    return {"name": name, "pValues": p, "holm": multipletests(p, method="holm")[1].tolist(),
            "benjaminiHochberg": multipletests(p, method="fdr_bh")[1].tolist()}


CORRECTIONS = [
    ("Benjamini and Hochberg 1995, section 3.1", BENJAMINI_HOCHBERG_1995),
    ("unsorted with ties", [0.04, 0.01, 0.01, 0.5, 0.03, 0.5]),
    ("random", rng.random(25) ** 2),
]

# ---------------------------------------------------------------- distributions

distributions = {
    "normalTail": [[z, float(st.norm.sf(z))] for z in (-3, -0.5, 0, 0.1, 1, 1.96, 3, 6, 9)],
    "normalQuantile": [[p, float(st.norm.ppf(p))] for p in (1e-10, 0.001, 0.025, 0.2, 0.5, 0.9, 0.975, 0.9999)],
    "chiSquareTail": [[x, k, float(st.chi2.sf(x, k))] for x in (0.1, 1, 5, 30, 200) for k in (1, 2, 3, 9, 100)],
    "studentTail": [[t, k, float(st.t.sf(t, k))] for t in (-2, 0, 0.3, 2, 10) for k in (1, 2, 19, 400)],
    # scipy's own ppf is good to 2e-9 only; the root of its cdf is better.
    "studentQuantile": [[p, k, brentq(lambda t: st.t.cdf(t, k) - p, -1e4, 1e4, xtol=1e-14, rtol=1e-14)] for p in (0.01, 0.6, 0.975, 0.9995) for k in (1, 4, 19, 99)],
    "fairBinomialCdf": [[k, n, float(st.binom.cdf(k, n, 0.5))] for k, n in ((0, 1), (3, 9), (40, 100), (950, 2000))],
}

# ---------------------------------------------------------------- bootstrap


def bca(replicates, estimate, jackknives, confidence=0.95):
    """Efron and Tibshirani 1993, section 14.3; several samples as in Davison and Hinkley 1997, eq. 5.24 ff."""
    below = (np.sum(replicates < estimate) + np.sum(replicates <= estimate)) / (2 * len(replicates))
    z0 = st.norm.ppf(below)
    top = bottom = 0.0
    for j in jackknives:
        u = (len(j) - 1) * (j.mean() - j)
        top += np.sum(u**3) / len(j) ** 3
        bottom += np.sum(u**2) / len(j) ** 2
    a = top / (6 * bottom**1.5)
    ends = []
    for p in ((1 - confidence) / 2, (1 + confidence) / 2):
        z = z0 + st.norm.ppf(p)
        ends.append(float(np.percentile(replicates, 100 * st.norm.cdf(z0 + z / (1 - a * z)))))
    return ends


def crossed_data(raters, items, density, lift):
    rows = []
    rater_effect, item_effect = rng.normal(0, 0.4, raters), rng.normal(0, 0.4, items)
    for r in range(raters):
        for i in range(items):
            if rng.random() < density:
                rows.append((r, i, float(np.clip(np.round(lift + rater_effect[r] + item_effect[i] + rng.normal()), -2, 2))))
    return rows


def robust_error(r, i, v):
    """Two-way cluster-robust error of the mean by statsmodels: an intercept-only regression."""
    fit = sm.OLS(v, np.ones(len(v))).fit(cov_type="cluster", cov_kwds={"groups": np.column_stack([r, i])})
    return float(fit.bse[0])


def crossed(name, rows, raters, items, resamples):
    r, i, v = (np.array(c) for c in zip(*rows))
    draws_r = rng.integers(0, raters, (resamples, raters))
    draws_i = rng.integers(0, items, (resamples, items))
    reps, pivots = [], []
    estimate, error = v.mean(), robust_error(r, i, v)
    for dr, di in zip(draws_r, draws_i):
        # Every drawn rater meets every drawn item, as a data set of its own with new names.
        new = [(a, b, x) for a, rr in enumerate(dr) for b, ii in enumerate(di) for x in v[(r == rr) & (i == ii)]]
        nr, ni, nv = (np.array(c) for c in zip(*new))
        reps.append(nv.mean())
        pivots.append((nr, ni, nv))
    reps = np.array(reps)
    t = []
    for (nr, ni, nv), mean in zip(pivots, reps):
        e = nv - nv.mean()
        n = len(nv)
        # Each drawn rater and item is a cluster, also one that has no rating here.
        vr = sum(e[nr == a].sum() ** 2 for a in range(raters)) / n**2 * raters / (raters - 1)
        vi = sum(e[ni == b].sum() ** 2 for b in range(items)) / n**2 * items / (items - 1)
        vc = (e**2).sum() / n**2 * n / (n - 1)
        t.append(abs(mean - estimate) / np.sqrt(max(vr + vi - vc, vc)))
    reach = float(np.percentile(t, 95)) * error
    by_rater = np.array([v[r != a].mean() for a in range(raters)])
    by_item = np.array([v[i != b].mean() for b in range(items)])
    means = np.array([v[r == a].mean() for a in range(raters)])
    t_interval = st.t.interval(0.95, raters - 1, means.mean(), st.sem(means))
    return {"name": name, "raters": raters, "items": items, "observations": rows,
            "draws": [dr.tolist() + di.tolist() for dr, di in zip(draws_r, draws_i)],
            "expected": {"estimate": float(estimate), "robustError": error,
                         "percentile": np.percentile(reps, [2.5, 97.5]).tolist(),
                         "bca": bca(reps, estimate, [by_rater, by_item]),
                         "standardError": float(reps.std(ddof=1)),
                         "studentised": [float(estimate - reach), float(estimate + reach)],
                         "raterMeans": [float(t_interval[0]), float(t_interval[1])]}}


def cluster(name, values, resamples=20000):
    """scipy's own bootstrap of a mean; the tolerance is four Monte-Carlo deviations between seeds."""
    runs = {"percentile": [], "bca": []}
    for method in runs:
        for seed in range(8):
            result = st.bootstrap((values,), np.mean, n_resamples=resamples, method="BCa" if method == "bca" else method,
                                  random_state=np.random.default_rng(seed), batch=2000)
            runs[method].append([result.confidence_interval.low, result.confidence_interval.high])
    return {"name": name, "values": values.tolist(), "resamples": resamples, "expected": {
        m: {"mean": np.mean(e, axis=0).tolist(), "tolerance": (4 * np.std(e, axis=0, ddof=1)).max().item()}
        for m, e in runs.items()}}


CROSSED = [
    crossed("crossed, 6 raters x 8 items", crossed_data(6, 8, 1.0, 0.3), 6, 8, 120),
    crossed("sparse, 8 raters x 10 items", crossed_data(8, 10, 0.6, 0.0), 8, 10, 120),
]
CLUSTER = [
    cluster("20 rater means", np.round(rng.normal(0.2, 0.4, 20), 2)),
    cluster("30 skewed values", np.round(rng.exponential(1, 30), 2)),
]

result = {
    "agreement": [agreement(*a) for a in AGREEMENT],
    "paired": [paired(*p) for p in PAIRED],
    "friedman": [friedman(*f) for f in FRIEDMAN],
    "cliff": [cliff(*c) for c in CLIFF],
    "corrections": [corrections(*c) for c in CORRECTIONS],
    "distributions": distributions,
    "crossed": CROSSED,
    "cluster": CLUSTER,
}
path = pathlib.Path(__file__).with_name("stats.json")
path.write_text(json.dumps(result, separators=(",", ":"), allow_nan=False) + "\n")
print({key: len(value) for key, value in result.items()}, path.stat().st_size, "bytes")
