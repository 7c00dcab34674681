"""Estimates every attack on every parameter set with the lattice estimator and writes what it says as JSON.

The lattice estimator (Albrecht, Player, Scott, ePrint 2015/046; GPL, not part of this repository) must be importable:

    PYTHONPATH=<its directory> python3 tools/lattice/estimate.py tools/lattice/estimates.json [PART-OF-SET/ATTACK/MODEL ...]

It needs Sage; the recorded run had passagemath's wheels (-standard-no-symbolics, -symbolics, -gsl). Hybrid attacks take up to ten minutes
each, so they were run with one cost model. generate.ts makes the table of docs/spec/lattice.generated.md from estimates.json.
"""

import importlib.metadata
import json
import sys
import time

from estimator import ND, RC, LWE
from sage.all import log, oo

ERROR = ND.CenteredBinomial(21)
TERNARY = ND.Uniform(-1, 1)
# Name, dimension, log2 q. The packages' own tests compare these with the parameter sets that exist.
SETS = [
    ("route-1", 2048, 50),
    ("ckks-8192-180", 8192, 180),
    ("ckks-8192-180, 540 coefficients known", 8192 - 540, 180),
    ("ckks-16384-240", 16384, 240),
    ("ckks-16384-300", 16384, 300),
    ("ckks-16384-300, 540 coefficients known", 16384 - 540, 300),
]
# The bound of the Homomorphic Encryption Standard (ternary secret, 128 bits, classical): what is said about it shows what the bits mean.
CHECKS = [("standard's bound at 8192", 8192, 218), ("standard's bound at 16384", 16384, 438)]
ATTACKS = {
    "usvp": lambda p, m: LWE.primal_usvp(p, red_cost_model=m),
    "bdd": lambda p, m: LWE.primal_bdd(p, red_cost_model=m),
    "bdd hybrid": lambda p, m: LWE.primal_hybrid(p, mitm=False, babai=False, red_cost_model=m),
    "bdd mitm hybrid": lambda p, m: LWE.primal_hybrid(p, mitm=True, babai=True, red_cost_model=m),
    "dual": lambda p, m: LWE.dual(p, red_cost_model=m),
    "dual hybrid": lambda p, m: LWE.dual_hybrid(p, red_cost_model=m),
}
MODELS = {"MATZOV": RC.MATZOV, "BDGL16": RC.BDGL16, "ADPS16": RC.ADPS16}


def estimate(name, dimension, log_modulus, attack, model):
    parameters = LWE.Parameters(n=dimension, q=2**log_modulus, Xs=TERNARY, Xe=ERROR, m=oo, tag=name)
    start = time.time()
    try:
        cost = ATTACKS[attack](parameters, MODELS[model])
    except Exception as error:  # recorded, not hidden: an attack without a number is listed as such
        return {"set": name, "attack": attack, "model": model, "error": f"{type(error).__name__}: {error}"[:200]}
    row = {"set": name, "dimension": dimension, "logModulus": log_modulus, "attack": attack, "model": model}
    row["bits"] = round(float(log(cost["rop"], 2)), 1) if cost["rop"] != oo else None
    for field in ("beta", "d", "zeta", "eta", "h_", "t"):
        if field in cost:
            row[field] = int(cost[field])
    print(f"{time.time() - start:.0f} s", flush=True)
    return row


def main(target, names):
    try:
        with open(target, encoding="utf8") as file:
            rows = json.load(file)["rows"]
    except FileNotFoundError:
        rows = []
    done = {(row["set"], row["attack"], row["model"]) for row in rows if "bits" in row}
    for name, dimension, log_modulus in SETS + CHECKS:
        for attack in ATTACKS:
            for model in MODELS:
                wanted = any(part in f"{name}/{attack}/{model}" for part in names) if names else model == "MATZOV" or "hybrid" not in attack
                if (name, attack, model) in done or not wanted:
                    continue
                row = estimate(name, dimension, log_modulus, attack, model)
                rows.append(row)
                print(row, flush=True)
                write(target, rows)


def write(target, rows):
    versions = {
        "latticeEstimator": "27a581bb8e9d49f5e9e2db315bd48ac769d5f5f5",
        "passagemath": importlib.metadata.version("passagemath-modules"),
        "python": sys.version.split()[0],
    }
    ordered = sorted(rows, key=lambda row: tuple(map(position, (row["set"], row["attack"], row["model"]))))
    lines = ",\n".join("  " + json.dumps(row) for row in ordered)
    with open(target, "w", encoding="utf8") as file:
        file.write(f'{{\n "versions": {json.dumps(versions)},\n "rows": [\n{lines}\n ]\n}}\n')


def position(name):
    return [*(names[0] for names in SETS + CHECKS), *ATTACKS, *MODELS].index(name)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
